/**
 * The gateway's one connection. Whoever asks over HTTP is waiting, so it has a producer's patience: while Redis is away a
 * command fails at once, and one that Redis does not answer fails in under two seconds. The connection comes back by itself.
 */
import { connectRedis, messageOf, OutboxError, openStore, type RedisClient, type Store } from '@wechat-outbox/outbox'
import type { Logger } from '@wechat-outbox/runtime'

const PING_MS_MAX = 1000
const QUIT_MS_MAX = 1000

export interface RedisLink {
  readonly redis: RedisClient
  /** @throws OutboxError WXO_UNAVAILABLE, at once while Redis is away */
  store(): Promise<Store>
  /** Whether Redis answers a PING within a second. */
  answers(): Promise<boolean>
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
    async answers() {
      if (redis.status !== 'ready') return false
      const answered = redis.ping().then(
        () => true,
        () => false,
      )
      return within(answered, PING_MS_MAX, false)
    },
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

/** What a promise resolves to, or `late` after `ms`. The promise must not reject. */
export async function within<T>(promise: Promise<T>, ms: number, late: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late), ms)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
