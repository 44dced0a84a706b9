/**
 * Messages that expire while they wait. A run looks at `expiresAt` itself; but while an app is held there are no runs, and a
 * backoff may be long. So those that have an `expiresAt` are listed by it, and what has passed is looked at here.
 */
import type { Burier } from '../dead-letters/bury.ts'
import { collectSpoilt } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

const PAGE = 100
/** Looked at in one sweep: the rest is there for the next one. */
const LOOKS_MAX = 5000

/**
 * Buries what has expired. What a run is at is left to it. Returns how many died.
 * @throws when the others are buried, where another program has spoilt a key of one
 */
export async function expireMessages(burier: Burier, at: { store: Store; appid: string }): Promise<number> {
  const { redis, clock } = at.store
  const { expiring } = appKeys(at.appid)
  let dead = 0
  let left = 0
  const spoilt = collectSpoilt()
  for (let looked = 0; looked < LOOKS_MAX; looked += PAGE) {
    const ids = await redis.zrangebyscore(expiring, '-inf', clock.now(), 'LIMIT', left, PAGE)
    if (ids.length === 0) break
    for (const id of ids) {
      const buried = await burier.expire(id).catch(spoilt.note(id))
      if (buried?.kind === 'dead') dead += 1
      // Settled or gone: delivered, cancelled, or dead of something else.
      if (buried?.kind === 'dead' || buried?.kind === 'settled') await redis.zrem(expiring, id)
      // Listed when HOLD_MAX_DAYS was less, or its user has acted since. Whoever has ended it meanwhile has taken it off the list.
      else if (buried?.kind === 'early') await redis.zadd(expiring, 'XX', buried.until, id)
      else left += 1
    }
  }
  spoilt.throwNoted()
  return dead
}
