/**
 * Counts of dead letters from the sorted sets that list them by time of death. They take Redis a few microseconds for each code or each
 * hour, however many letters there are, and no letter is read.
 */
import type { DeadLetterFilter } from '@wechat-outbox/messages'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import type { CountedLetters } from './count.ts'

/** Counts that one question may take. A month has 720 hours, and some ninety reasons are known. */
const COMMANDS_MAX = 5000
const HOUR_MS = 3_600_000

export interface IndexCounts {
  readonly counts: ReadonlyMap<string, number>
  /** Letters of reasons that nobody has named. */
  readonly unnamed: number
}

/** Undefined where the indexes cannot tell: another filter, or more of them than are asked at once. */
export async function countIndexes(
  store: Store,
  appid: string,
  { filter, by, reasons }: CountedLetters,
): Promise<IndexCounts | undefined> {
  const { errcode, touser, since: _since, until: _until, ...others } = filter
  if (by === 'touser' || Object.values(others).some((given) => given !== undefined)) return undefined
  // A reason that is given by its name may stand under an errcode.
  if (errcode?.some((reason) => !/^-?\d+$/.test(reason))) return undefined
  const keys = appKeys(appid)
  const people = touser === undefined ? [undefined] : [...new Set(touser)]
  const of = { people, errcode: errcode && [...new Set(errcode)] }
  return by === 'hour'
    ? countHours(store, indexesOf(keys, of), filter)
    : countReasons(store, keys, { ...of, filter, reasons })
}

interface Chosen {
  /** Undefined: everybody. */
  readonly people: readonly (string | undefined)[]
  readonly errcode: readonly string[] | undefined
}

const ofReason = (keys: AppKeys, person: string | undefined, reason: string): string =>
  person === undefined ? keys.deadByReason(reason) : keys.deadByPersonAndReason(person, reason)

const ofPerson = (keys: AppKeys, person: string | undefined): string =>
  person === undefined ? keys.deadByTime : keys.deadByPerson(person)

/** Each letter that is meant stands in one of them. */
function indexesOf(keys: AppKeys, { people, errcode }: Chosen): string[] {
  return people.flatMap(
    (person) => errcode?.map((reason) => ofReason(keys, person, reason)) ?? [ofPerson(keys, person)],
  )
}

async function countReasons(
  store: Store,
  keys: AppKeys,
  { people, errcode, filter, reasons }: Chosen & Pick<CountedLetters, 'filter' | 'reasons'>,
): Promise<IndexCounts | undefined> {
  const wanted = errcode ?? [...new Set(reasons)]
  if (people.length * (wanted.length + 1) > COMMANDS_MAX) return undefined
  const count = (key: string): Promise<number> =>
    store.redis.zcount(key, filter.since ?? '-inf', filter.until ?? '+inf')
  const sum = async (indexes: readonly string[]): Promise<number> =>
    (await Promise.all(indexes.map(count))).reduce((all, one) => all + one, 0)
  const [whole, ...each] = await Promise.all([
    errcode === undefined ? sum(people.map((person) => ofPerson(keys, person))) : 0,
    ...wanted.map((reason) => sum(people.map((person) => ofReason(keys, person, reason)))),
  ])
  const counts = new Map(wanted.map((reason, n) => [reason, each[n] ?? 0] as const).filter(([, found]) => found > 0))
  const named = [...counts.values()].reduce((all, one) => all + one, 0)
  // Letters may have come or gone between the counts.
  return { counts, unnamed: Math.max(0, whole - named) }
}

async function countHours(
  store: Store,
  indexes: readonly string[],
  filter: DeadLetterFilter,
): Promise<IndexCounts | undefined> {
  if (indexes.length > COMMANDS_MAX) return undefined
  const { since = '-inf', until = '+inf' } = filter
  const ends = await Promise.all(
    indexes.flatMap((index) => [
      store.redis.zrangebyscore(index, since, until, 'WITHSCORES', 'LIMIT', 0, 1),
      store.redis.zrevrangebyscore(index, until, since, 'WITHSCORES', 'LIMIT', 0, 1),
    ]),
  )
  const times = ends.flatMap(([, score]) => (score === undefined ? [] : [Number(score)]))
  const counts = new Map<string, number>()
  if (times.length === 0) return { counts, unnamed: 0 }
  const first = Math.floor(Math.min(...times) / HOUR_MS)
  const hours = Math.floor(Math.max(...times) / HOUR_MS) - first + 1
  if (hours * indexes.length > COMMANDS_MAX) return undefined
  await Promise.all(
    Array.from({ length: hours }, async (_, n) => {
      const from = (first + n) * HOUR_MS
      const [min, max] = [Math.max(from, filter.since ?? from), Math.min(from + HOUR_MS - 1, filter.until ?? Infinity)]
      const found = await Promise.all(indexes.map((index) => store.redis.zcount(index, min, max)))
      const count = found.reduce((all, one) => all + one, 0)
      if (count > 0) counts.set(hourOf(from), count)
    }),
  )
  return { counts, unnamed: 0 }
}

/** The begin of the hour in which a time is, in ISO 8601. */
export function hourOf(ms: number): string {
  return new Date(Math.floor(ms / HOUR_MS) * HOUR_MS).toISOString()
}
