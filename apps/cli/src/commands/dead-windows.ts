/** What an operator sees of the reply windows of dead letters' people before anything is done. */
import { WINDOW_ERRCODES, type WindowState } from '@wechat-outbox/messages'
import {
  type CountedWindows,
  countNotReplayable,
  countWindows,
  type LetterCounts,
  type Store,
} from '@wechat-outbox/outbox/engine'
import { PROSPECT_MEANINGS, replayProspect } from '@wechat-outbox/policy'
import { stored } from '../session.ts'

export type OfLetters = CountedWindows['of']
type Counts = LetterCounts['counts']

const ERRCODES: readonly string[] = WINDOW_ERRCODES.map(String)

const sumOf = (counts: Counts): number => counts.reduce((sum, { count }) => sum + count, 0)
const listOf = (counts: Counts): string => counts.map(({ key, count }) => `${count} ${key}`).join(', ')

/** By the state of their people's windows, of letters that have been counted. */
export function readWindows(
  store: Store,
  appid: string,
  { of, counted }: { of: OfLetters; counted: LetterCounts },
): Promise<Counts> {
  return stored(countWindows(store, appid, { of, total: counted.total }))
}

export function windowsLine(windows: Counts, total: number): string {
  const looked = sumOf(windows)
  const which = looked < total ? `of ${looked} of them that were looked at` : 'of their people'
  return `Reply windows ${which}: ${listOf(windows)}.`
}

/** What a replay cannot bring back. Undefined: too many letters would have to be looked at. */
export async function readNotReplayable(store: Store, appid: string, of: OfLetters): Promise<number | undefined> {
  const counts = await stored(countNotReplayable(store, appid, { of }))
  return counts && sumOf(counts)
}

export function notReplayableLine(count: number | undefined): string | undefined {
  if (count === 0) return undefined
  if (count === undefined) return 'Some have lost their content and cannot be replayed (not-replayable).'
  return `${count} of them cannot be replayed (not-replayable): their content was removed.`
}

/** What dies again of what the message itself is, as the operator's page says. */
export function refusedAgainLine({ counts, total }: LetterCounts): string | undefined {
  const again = counts.filter(({ key }) => replayProspect(key) === 'refused-again')
  if (again.length === 0) return undefined
  const which = total === 1 ? 'It' : `${sumOf(again)} of ${total}`
  const keys = again.map(({ key }) => key).join(', ')
  return `${which} died of ${keys}: a replay ${PROSPECT_MEANINGS['refused-again'].en}.`
}

/** What is likely to die again: letters of a closed or used-up window whose people have no open one as far as is known. */
export async function windowWarning(
  store: Store,
  appid: string,
  { of, counted }: { of: OfLetters; counted: LetterCounts },
): Promise<string | undefined> {
  const total = sumOf(counted.counts.filter(({ key }) => ERRCODES.includes(key)))
  const windows = await stored(countWindows(store, appid, { of, total, ofWindows: true }))
  const notOpen = windows.filter(({ key }) => key !== 'open')
  if (notOpen.length === 0) return undefined
  const [only] = notOpen
  if (counted.total === 1 && only !== undefined)
    return oneRefused(counted.counts[0]?.key ?? '', only.key as keyof typeof NOT_OPEN)
  const looked = sumOf(windows)
  const which = looked < total ? `of ${sumOf(notOpen)} among ${looked} of these` : `of ${sumOf(notOpen)} of these`
  return `${total} of ${counted.total} died of a closed or used-up reply window (${ERRCODES.join(', ')}), and ${which} no open window is known (${listOf(notOpen)}): WeChat refuses them again, unless their users have acted since.`
}

/** What is known of the window of somebody who may not be written to now. */
const NOT_OPEN = {
  unknown: 'no action of the user was reported',
  closed: 'the window is closed since the latest action of the user',
  'used-up': 'what the latest action of the user allowed is used up',
} satisfies Record<Exclude<WindowState, 'open'>, string>

/** Why a replay of a single letter asks. */
function oneRefused(errcode: string, state: keyof typeof NOT_OPEN): string {
  return `It died of a closed or used-up reply window (${errcode}), and as far as the outbox knows that has not changed: ${NOT_OPEN[state]}. WeChat refuses it again, unless the user has acted since.`
}
