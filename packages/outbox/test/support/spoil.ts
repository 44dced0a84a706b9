/** A key under which another program has put something else. */
import type { RedisClient } from '../../src/redis/connection.ts'

/** Puts text under a key. Returns what puts back what stood there, in one step: nobody finds the key empty. */
export async function spoil(redis: RedisClient, key: string): Promise<() => Promise<unknown>> {
  const was = (await redis.exists(key)) === 1
  if (was) await redis.rename(key, `${key}:kept`)
  await redis.set(key, 'spoilt by hand')
  return () => (was ? redis.rename(`${key}:kept`, key) : redis.del(key))
}
