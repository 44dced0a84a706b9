/** Before a bulk replay: how many letters have lost their content, and will stay dead letters. */
import { type DeadLetter, type DeadLetterFilter, isContentRemoved, reasonKeyOf } from '@wechat-outbox/messages'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { type LetterCount, looksAt, looksAtGiven } from './count.ts'

/** Letters that are looked at for one answer, where there are any without content. */
const LOOKED_MAX = 10_000

/**
 * The letters that have lost their content, of some ids or of a filter, counted by code. Undefined: more would have to be looked at than
 * `max`.
 */
export async function countNotReplayable(
  store: Store,
  appid: string,
  { of, max = LOOKED_MAX }: { of: { filter: DeadLetterFilter } | { ids: readonly string[] }; max?: number },
): Promise<LetterCount[] | undefined> {
  const { since = '-inf', until = '+inf' } = 'filter' in of ? of.filter : {}
  // Mostly there are none, and nothing has to be looked at.
  if ((await store.redis.zcount(appKeys(appid).deadWithoutContent, since, until)) === 0) return []
  const pick = (letter: DeadLetter): string | undefined =>
    isContentRemoved(letter) ? reasonKeyOf(letter.reason) : undefined
  const looks =
    'ids' in of ? looksAtGiven(store, appid, { ids: of.ids, pick }) : looksAt(store, appid, { filter: of.filter, pick })
  const counts = new Map<string, number>()
  let left = max
  for await (const key of looks) {
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
    left -= 1
    if (left < 0) return undefined
  }
  return [...counts].map(([key, count]) => ({ key, count }))
}
