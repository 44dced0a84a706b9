/**
 * How many dead letters there are, and of what: what an operator asks first. By code and by hour, of some codes, some people and some
 * time, the indexes have it (`count-indexes.ts`); everything else takes a look at the letters, page by page.
 */
import { type DeadLetter, type DeadLetterFilter, reasonKeyOf, recipientOf } from '@wechat-outbox/messages'
import type { Store } from '../redis/store.ts'
import { acceptanceOf } from './acceptance.ts'
import { countIndexes, hourOf } from './count-indexes.ts'
import { type Cursor, findLetters, START } from './find.ts'
import { wholeLetterIn } from './letter.ts'
import { readDeadLetter } from './list.ts'

/** What letters are counted by. The hour is that of the death, in UTC. */
export type CountedBy = 'errcode' | 'touser' | 'hour'

export interface LetterCount {
  /** An errcode or the name of a reason without one, an openid, or the begin of an hour in ISO 8601. */
  readonly key: string
  readonly count: number
}

export interface LetterCounts {
  readonly total: number
  /** The greatest first, at most a thousand; hours in their order. */
  readonly counts: readonly LetterCount[]
  /** How many of `total` stand in none of `counts`. */
  readonly others: number
}

export interface CountedLetters {
  readonly filter: DeadLetterFilter
  readonly by: CountedBy
  /** Reasons that there may be, as `reasonKeyOf` writes them: those that are known need no look at the letters. */
  readonly reasons: readonly string[]
}

const COUNTS_MAX = 1000

/** Counts the letters that a filter means. With a `limit`: the first so many by acceptance. */
export async function countDeadLetters(store: Store, appid: string, asked: CountedLetters): Promise<LetterCounts> {
  const counted = await countIndexes(store, appid, asked)
  if (counted === undefined || counted.unnamed > 0) return countOneByOne(store, appid, asked)
  return countsOf(counted.counts, asked.by)
}

/**
 * The same for who cannot wait for letters to be looked at: undefined where the indexes alone do not have it, and `others` are then also the
 * letters of reasons that `reasons` does not name.
 */
export async function countAtOnce(
  store: Store,
  appid: string,
  asked: CountedLetters,
): Promise<LetterCounts | undefined> {
  const counted = await countIndexes(store, appid, asked)
  if (counted === undefined) return undefined
  const { total, counts, others } = countsOf(counted.counts, asked.by)
  return { total: total + counted.unnamed, counts, others: others + counted.unnamed }
}

/** Counts letters by their ids; `total` counts those that are there. */
export async function countGiven(store: Store, appid: string, ids: readonly string[]): Promise<LetterCounts> {
  const counts = new Map<string, number>()
  const pick = (letter: DeadLetter): string => keyOf('errcode', letter)
  for await (const key of looksAtGiven(store, appid, { ids, pick })) add(counts, key)
  return countsOf(counts, 'errcode')
}

/** Looks at the letters that are there under some ids, in their order, and gives what is picked of each. */
export async function* looksAtGiven<T>(
  store: Store,
  appid: string,
  { ids, pick }: { ids: readonly string[]; pick: (letter: DeadLetter) => T },
): AsyncGenerator<T> {
  for (let from = 0; from < ids.length; from += GIVEN_CHUNK) {
    const chunk = ids.slice(from, from + GIVEN_CHUNK)
    const letters = await Promise.all(chunk.map((id) => readDeadLetter(store, appid, id)))
    for (const letter of letters.map(wholeLetterIn)) if (letter !== null) yield pick(letter)
  }
}

const GIVEN_CHUNK = 500

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

async function countOneByOne(store: Store, appid: string, { filter, by }: CountedLetters): Promise<LetterCounts> {
  const counts = new Map<string, number>()
  for await (const key of looksAt(store, appid, { filter, pick: (letter) => keyOf(by, letter) })) add(counts, key)
  return countsOf(counts, by)
}

/**
 * Looks at the letters that a filter means, page by page, and gives what is picked of each. With a `limit` these are the first so many by
 * acceptance, which are known only when all have been looked at.
 */
export async function* looksAt<T>(
  store: Store,
  appid: string,
  { filter, pick }: { filter: DeadLetterFilter; pick: (letter: DeadLetter) => T },
): AsyncGenerator<T> {
  const { limit } = filter
  const first: { acceptance: string; picked: T }[] = []
  for (let from: Cursor | undefined = START; from !== undefined; ) {
    const page = await findLetters(store, appid, { filter, from })
    for (const { id, letter } of page.found) {
      if (letter === null) continue
      if (limit === undefined) yield pick(letter)
      else first.push({ acceptance: acceptanceOf(id, letter), picked: pick(letter) })
    }
    from = page.next
  }
  first.sort((one, other) => (one.acceptance < other.acceptance ? -1 : 1))
  for (const { picked } of first.slice(0, limit)) yield picked
}

function keyOf(by: CountedBy, letter: DeadLetter): string {
  switch (by) {
    case 'errcode':
      return reasonKeyOf(letter.reason)
    case 'touser':
      return recipientOf(letter) ?? ''
    case 'hour':
      return hourOf(letter.deadAt)
  }
}

function countsOf(counts: ReadonlyMap<string, number>, by: CountedBy): LetterCounts {
  const all = [...counts].map(([key, count]) => ({ key, count }))
  const byKey = (one: LetterCount, other: LetterCount): number => (one.key < other.key ? -1 : 1)
  const sorted = all.toSorted((one, other) => (by === 'hour' ? 0 : other.count - one.count) || byKey(one, other))
  const total = all.reduce((sum, { count }) => sum + count, 0)
  const shown = sorted.slice(0, COUNTS_MAX)
  return { total, counts: shown, others: total - shown.reduce((sum, { count }) => sum + count, 0) }
}
