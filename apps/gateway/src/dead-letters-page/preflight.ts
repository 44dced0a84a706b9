/** What a replay or a discard would do, before anything is done: how many letters, of what, and how many of them can be sent now. */
import { type DeadLetter, reasonKeyOf } from '@wechat-outbox/messages'
import {
  countAtOnce,
  countDeadLetters,
  countNotReplayable,
  countWindows,
  type LetterCount,
  type LetterCounts,
  readDeadLetter,
  type Store,
  type WindowCounts,
  wholeLetterIn,
  whyNotReplayable,
} from '@wechat-outbox/outbox/engine'
import { type ReplayProspect, reasonKeys, replayProspect } from '@wechat-outbox/policy'
import type { ShownFilter } from './links.ts'
import { type AppState, readAppState, taskFilterOf } from './overview-data.ts'

/** The letters that are meant: those of some ids, or those of a filter. */
export type Chosen =
  | { readonly ids: readonly string[] }
  /** Its `until` is the time of the preflight or before, so that what dies after it is not meant. */
  | { readonly filter: ShownFilter & { readonly until: number } }

export interface Preflight {
  readonly chosen: Chosen
  readonly counts: LetterCounts
  /** How many can be sent now, as far as their reasons show. */
  readonly sendable: number
  /** How many only go out if their users have acted again. */
  readonly afterUserAction: number
  /** Of those, by the state of their people's reply windows now; the sum is how many were looked at. Nobody looks before a discard. */
  readonly windows: WindowCounts
  /** Of the ids: those that are gone by now. */
  readonly gone: number
  /** Those in which nothing can be sent, of a filter those whose content was removed. Undefined: nobody has looked, or not at all of them. */
  readonly unreadable: number | undefined
  readonly state: AppState
}

/** Letters whose windows are looked at for one page: no index has them, and the page has to stay quick. */
const WINDOWS_MAX = 1000

export async function readPreflight(
  store: Store,
  appid: string,
  { action, chosen }: { action: 'replay' | 'discard'; chosen: Chosen },
): Promise<Preflight> {
  const [{ readable, ...counted }, state] = await Promise.all([
    'ids' in chosen ? countIds(store, appid, chosen.ids) : countFilter(store, appid, chosen.filter),
    readAppState(store, appid),
  ])
  const of =
    readable === undefined && 'filter' in chosen ? { filter: taskFilterOf(chosen.filter) } : { ids: readable ?? [] }
  const total = action === 'replay' ? counted.afterUserAction : 0
  const windows = await countWindows(store, appid, { of, total, ofWindows: true, max: WINDOWS_MAX })
  return { chosen, state, windows, ...counted }
}

async function countFilter(store: Store, appid: string, filter: ShownFilter) {
  const asked = { filter: taskFilterOf(filter), by: 'errcode', reasons: reasonKeys() } as const
  // A reason that may stand beside a code takes a look at each letter, and the time that this needs.
  const counts = (await countAtOnce(store, appid, asked)) ?? (await countDeadLetters(store, appid, asked))
  const { counts: by } = counts
  const without = await countNotReplayable(store, appid, { of: { filter: asked.filter }, max: WINDOWS_MAX })
  const unreadable = without?.reduce((all, { count }) => all + count, 0)
  // None proves nothing: what cannot be read is only seen when its turn comes.
  return {
    counts,
    ...prospectsOf(less(by, without ?? [])),
    gone: 0,
    unreadable: unreadable === 0 ? undefined : unreadable,
    readable: undefined,
  }
}

async function countIds(store: Store, appid: string, ids: readonly string[]) {
  const read = await Promise.all(ids.map((id) => readDeadLetter(store, appid, id)))
  const letters = read.filter((letter) => letter !== null)
  const whole = letters.filter((letter) => wholeLetterIn(letter) !== null)
  const counts = countByReason(whole)
  const readable = letters.filter((letter) => whyNotReplayable(letter) === undefined)
  return {
    counts: { total: letters.length, counts, others: letters.length - whole.length },
    ...prospectsOf(countByReason(readable)),
    gone: ids.length - letters.length,
    unreadable: letters.length - readable.length,
    readable: readable.map(({ id }) => id),
  }
}

const less = (counts: readonly LetterCount[], without: readonly LetterCount[]): LetterCount[] =>
  counts.map(({ key, count }) => ({ key, count: count - (without.find((one) => one.key === key)?.count ?? 0) }))

/** The most first. */
function countByReason(letters: readonly DeadLetter[]): LetterCount[] {
  const counted = new Map<string, number>()
  for (const { reason } of letters) {
    const key = reasonKeyOf(reason)
    counted.set(key, (counted.get(key) ?? 0) + 1)
  }
  return [...counted].map(([key, count]) => ({ key, count })).toSorted((one, other) => other.count - one.count)
}

function prospectsOf(counts: readonly LetterCount[]): Pick<Preflight, 'sendable' | 'afterUserAction'> {
  const sum = (prospect: ReplayProspect): number =>
    counts.reduce((all, { key, count }) => all + (replayProspect(key) === prospect ? count : 0), 0)
  return { sendable: sum('sendable'), afterUserAction: sum('after-user-action') }
}
