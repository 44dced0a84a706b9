/**
 * Of how many dead letters WeChat would take the message now, as far as the ledger of reply windows knows. No index has it, so the letters
 * are looked at: a bounded number of them.
 */
import {
  type DeadLetter,
  type DeadLetterFilter,
  reasonKeyOf,
  recipientOf,
  WINDOW_ERRCODES,
  WINDOW_STATES,
} from '@wechat-outbox/messages'
import type { Store } from '../redis/store.ts'
import { hasWindows, readWindowStates } from '../windows/ledger.ts'
import { type LetterCount, looksAt, looksAtGiven } from './count.ts'
import { isCode } from './places.ts'

export interface CountedWindows {
  /** The letters of a filter, or those of some ids. */
  readonly of: { readonly filter: DeadLetterFilter } | { readonly ids: readonly string[] }
  /** How many there are, as somebody has counted: without a ledger they are all unknown, and none is looked at. */
  readonly total: number
  /** Only those that died because their reply window was closed or used up. */
  readonly ofWindows?: boolean
  /** At most so many are looked at: 10,000 by default. */
  readonly max?: number
}

/** By the state of the window of their person, those that there are, in the order of `WINDOW_STATES`. Their sum is how many were looked at. */
export type WindowCounts = readonly LetterCount[]

/** Letters that are looked at for one answer: that takes about a second. */
export const WINDOWS_COUNTED_MAX = 10_000
/** People asked for at once. */
const CHUNK = 500

const ERRCODES: readonly string[] = WINDOW_ERRCODES.map(String)

/** Whether a letter died because its reply window was closed or used up. */
const isOfWindow = ({ reason }: DeadLetter): boolean => ERRCODES.includes(reasonKeyOf(reason))

/** Counts letters by what is known of the reply windows of their people. */
export async function countWindows(store: Store, appid: string, asked: CountedWindows): Promise<WindowCounts> {
  const { of, total, ofWindows = false, max = WINDOWS_COUNTED_MAX } = asked
  if (total === 0) return []
  if (!(await hasWindows(store, appid))) return [{ key: 'unknown', count: total }]
  const pick = (letter: DeadLetter): string | undefined =>
    ofWindows && !isOfWindow(letter) ? undefined : (recipientOf(letter) ?? '')
  const picked =
    'ids' in of
      ? looksAtGiven(store, appid, { ids: of.ids, pick })
      : looksAt(store, appid, { filter: ofWindows ? narrowed(of.filter) : of.filter, pick })
  const people = new Map<string, number>()
  let left = max
  for await (const person of picked) {
    if (person === undefined) continue
    people.set(person, (people.get(person) ?? 0) + 1)
    left -= 1
    if (left === 0) break
  }
  return countPeople(store, appid, people)
}

/** The same letters found by the indexes of their codes, where a `limit` does not mean the first of all of them. */
function narrowed(filter: DeadLetterFilter): DeadLetterFilter {
  const { errcode = ERRCODES, limit } = filter
  if (limit !== undefined || !errcode.every(isCode)) return filter
  return { ...filter, errcode: errcode.filter((code) => ERRCODES.includes(code)) }
}

/** `people`: how many letters each has. */
async function countPeople(store: Store, appid: string, people: ReadonlyMap<string, number>): Promise<WindowCounts> {
  const counts = new Map<string, number>()
  const all = [...people]
  for (let from = 0; from < all.length; from += CHUNK) {
    const chunk = all.slice(from, from + CHUNK)
    const states = await readWindowStates(
      store,
      appid,
      chunk.map(([person]) => person),
    )
    for (const [n, state] of states.entries()) counts.set(state, (counts.get(state) ?? 0) + (chunk[n]?.[1] ?? 0))
  }
  return WINDOW_STATES.flatMap((key) => {
    const count = counts.get(key)
    return count === undefined ? [] : [{ key, count }]
  })
}
