/**
 * The gateway's one connection. Whoever asks over HTTP is waiting, so it has the limits of a producer: while Redis is away a
 * command fails at once, and one that Redis does not answer fails in under two seconds. The connection comes back by itself.
 */
import { OutboxError } from '@wechat-outbox/outbox'
import {
  connectRedis,
  messageOf,
  openStore,
  type RedisClient,
  type RedisReadiness,
  readReadiness,
  type Store,
  within,
} from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'

const QUIT_MS_MAX = 1000

export interface RedisLink {
  readonly redis: RedisClient
  /** @throws OutboxError WXO_UNAVAILABLE, at once while Redis is away */
  store(): Promise<Store>
  readiness(): Promise<RedisReadiness>
  close(): Promise<void>
}

export function openRedisLink(url: string, log: Logger): RedisLink {
  const redis = connectRedis(url, 'produce')
  let away = false
  // One line when it goes and one when it is back, however many attempts lie between.
  redis.on('error', (error: unknown) => {
    if (!away) log.warn({ event: 'redis.unavailable', error: messageOf(error) })
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info({ event: 'redis.available' })
    away = false
  })
  let opened: Promise<Store> | undefined
  return {
    redis,
    async store() {
      if (redis.status !== 'ready') throw new OutboxError('WXO_UNAVAILABLE', 'Redis is not available')
      opened ??= openStore(redis).catch((error: unknown) => {
        opened = undefined
        throw error
      })
      return opened
    },
    readiness: () => readReadiness(redis),
    async close() {
      await within(
        redis.quit().catch(() => undefined),
        QUIT_MS_MAX,
        undefined,
      )
      redis.disconnect()
    },
  }
}
