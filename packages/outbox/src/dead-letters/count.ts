/**
 * How many dead letters there are, and of what: what an operator asks first. Counted by code, without a filter that asks for more, it takes
 * two round trips however many letters there are, because each code has an index; otherwise the letters are looked at, page by page.
 */
import { type DeadLetter, type DeadLetterFilter, reasonKeyOf, recipientOf } from '@wechat-outbox/messages'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { acceptanceOf } from './acceptance.ts'
import { type Cursor, findLetters, START } from './find.ts'
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
  return (await countIndexes(store, appid, asked)) ?? countOneByOne(store, appid, asked)
}

/** Counts all letters by the reasons that are known, in two round trips; `others` died of reasons that nobody has named. */
export async function countReasons(store: Store, appid: string, reasons: readonly string[]): Promise<LetterCounts> {
  const { all, counted } = await countEach(store, appid, { reasons })
  return { ...counted, total: all, others: counted.others + Math.max(0, all - counted.total) }
}

/** Counts letters by their ids; `total` counts those that are there. */
export async function countGiven(store: Store, appid: string, ids: readonly string[]): Promise<LetterCounts> {
  const counts = new Map<string, number>()
  for (let from = 0; from < ids.length; from += GIVEN_CHUNK) {
    const chunk = ids.slice(from, from + GIVEN_CHUNK)
    const letters = await Promise.all(chunk.map((id) => readDeadLetter(store, appid, id)))
    for (const letter of letters) if (letter !== null) add(counts, keyOf('errcode', letter))
  }
  return countsOf(counts, 'errcode')
}

const GIVEN_CHUNK = 500

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** Undefined where the indexes cannot tell: another filter, or letters of a reason that nobody has named. */
async function countIndexes(
  store: Store,
  appid: string,
  { filter, by, reasons }: CountedLetters,
): Promise<LetterCounts | undefined> {
  const { errcode, since, until, ...others } = filter
  if (by !== 'errcode' || Object.values(others).some((given) => given !== undefined)) return undefined
  // A reason that is given by its name may stand under an errcode.
  if (errcode?.some((reason) => !/^-?\d+$/.test(reason))) return undefined
  const { all, counted } = await countEach(store, appid, {
    reasons: errcode ?? reasons,
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  })
  return errcode !== undefined || counted.total === all ? counted : undefined
}

interface Each {
  readonly reasons: readonly string[]
  readonly since?: number | string
  readonly until?: number | string
}

/** How many stand in the index of each reason, and in the one of all letters. */
async function countEach(
  store: Store,
  appid: string,
  { reasons, since = '-inf', until = '+inf' }: Each,
): Promise<{ all: number; counted: LetterCounts }> {
  const keys = appKeys(appid)
  const wanted = [...new Set(reasons)]
  const [all = 0, ...each] = await Promise.all(
    [keys.deadByTime, ...wanted.map(keys.deadByReason)].map((key) => store.redis.zcount(key, since, until)),
  )
  const counts = new Map(wanted.flatMap((key, n) => ((each[n] ?? 0) > 0 ? [[key, each[n] ?? 0] as const] : [])))
  return { all, counted: countsOf(counts, 'errcode') }
}

async function countOneByOne(store: Store, appid: string, { filter, by }: CountedLetters): Promise<LetterCounts> {
  const { limit } = filter
  const counts = new Map<string, number>()
  const first: { acceptance: string; key: string }[] = []
  for (let from: Cursor | undefined = START; from !== undefined; ) {
    const page = await findLetters(store, appid, { filter, from })
    for (const { id, letter } of page.found) {
      if (letter === null) continue
      const key = keyOf(by, letter)
      if (limit === undefined) add(counts, key)
      else first.push({ acceptance: acceptanceOf(id, letter), key })
    }
    from = page.next
  }
  first.sort((one, other) => (one.acceptance < other.acceptance ? -1 : 1))
  for (const { key } of first.slice(0, limit)) add(counts, key)
  return countsOf(counts, by)
}

const HOUR_MS = 3_600_000

function keyOf(by: CountedBy, letter: DeadLetter): string {
  switch (by) {
    case 'errcode':
      return reasonKeyOf(letter.reason)
    case 'touser':
      return recipientOf(letter) ?? ''
    case 'hour':
      return new Date(Math.floor(letter.deadAt / HOUR_MS) * HOUR_MS).toISOString()
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
