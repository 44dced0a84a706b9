/**
 * One connection with everything on it that the outbox needs: the Lua scripts, BullMQ's commands for any queue of any app,
 * and Redis's time.
 */
import { Queue, type RedisConnection, type RedisQueueBackend } from 'bullmq'
import { checkBullmq } from '../bullmq/layout.ts'
import { createRedisClock, type RedisClock } from './clock.ts'
import type { RedisClient } from './connection.ts'
import { appPrefix } from './keys.ts'
import { defineScripts } from './scripts.ts'

export interface Store {
  readonly redis: RedisClient
  readonly clock: RedisClock
  /** Counts the connections that the client has had: an answer that was lost with one has been asked for again. */
  connection(): number
  /** BullMQ's wrapper of the connection, for backends of its Workers. */
  readonly bullmqConnection: RedisConnection
  /** BullMQ's operations on one queue of one app. */
  backend(appid: string, queue: string): RedisQueueBackend
}

/**
 * Makes a store of a connection that is ready. Any number of apps share it: BullMQ's own way to that is a sibling
 * backend, which needs neither a connection nor a round trip.
 * @throws OutboxError WXO_CONFIG when the BullMQ that is installed is not the one that the scripts know
 */
export async function openStore(redis: RedisClient): Promise<Store> {
  const queue = new Queue('wxo', { connection: redis, skipMetasUpdate: true, skipVersionCheck: true })
  // The connection's owner listens for its errors; here they would only be said twice.
  queue.on('error', () => undefined)
  await queue.waitUntilReady()
  const base = queue.getBackend() as RedisQueueBackend
  checkBullmq(base['version'])
  defineScripts(redis)
  let connections = 0
  redis.on('close', () => (connections += 1))
  const backends = new Map<string, RedisQueueBackend>()
  return {
    redis,
    clock: createRedisClock(redis),
    connection: () => connections,
    bullmqConnection: base.connection,
    backend(appid, name) {
      const key = `${appid}/${name}`
      let backend = backends.get(key)
      if (backend === undefined) {
        backend = base.forQueue(name, appPrefix(appid)) as RedisQueueBackend
        backends.set(key, backend)
      }
      return backend
    },
  }
}
