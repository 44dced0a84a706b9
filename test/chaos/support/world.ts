/**
 * The system under fire, in real processes: Redis, workers and producers. The fake WeChat lives in this process, where
 * its ledger is at hand, and every connection leads through a proxy: workers to Redis, workers to WeChat, producers to Redis. Before the
 * proxies to Redis, each worker and the producers have one of their own, which can refuse their commands.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFakeWechat } from '@wechat-outbox/fake-wechat'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { type RedisProxy, startLocalRedis, startRedisProxy, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { type Cast, type CastOptions, makeSlow, SEND_TIMEOUT_MS, startCast } from './cast.ts'
import type { Plan } from './plan.ts'

export interface World extends Cast {
  readonly proxies: Readonly<Record<'wechat' | 'redis' | 'producers', TcpProxy>>
  /** The Redis that each worker sees, and the one that all producers see. */
  readonly seenBy: { readonly workers: readonly RedisProxy[]; readonly producers: RedisProxy }
  readonly concurrency: number
  readonly sendTimeoutMs: number
  /** The straight way to Redis, for looking and for making it refuse. */
  readonly redisUrl: string
  redisPort(): number
  /** In lower case; scripts are not among them. */
  readonly writeCommands: ReadonlySet<string>
  /** kill -9, and after `awayMs` another one on the same file and port. */
  killRedis(awayMs: number): Promise<void>
}

export interface WorldSettings extends Pick<CastOptions, 'leaseMs' | 'concurrency'> {
  readonly seed: number
  readonly workers: number
}

/**
 * `always`, because with `everysec` Redis may hold back a write of up to two seconds while an fsync is under way: kill -9
 * would then lose what it has acknowledged, which is Redis's bargain and not a fault of what is tested here.
 */
const REDIS_ARGS = ['--appendfsync', 'always']

export async function startWorld(plan: Plan, settings: WorldSettings): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-chaos-'))
  const redisOptions = { dir: join(dir, 'redis'), args: REDIS_ARGS }
  let redis = await startLocalRedis(redisOptions)
  const fake = await startFakeWechat({ seed: settings.seed })
  makeSlow(fake)
  const proxies = {
    wechat: await startTcpProxy({ targetPort: Number(new URL(fake.url).port) }),
    redis: await startTcpProxy({ targetPort: redis.port }),
    producers: await startTcpProxy({ targetPort: redis.port }),
  }
  const seenBy = {
    workers: await Promise.all(
      Array.from({ length: settings.workers }, () => startRedisProxy({ targetPort: proxies.redis.port })),
    ),
    producers: await startRedisProxy({ targetPort: proxies.producers.port }),
  }
  const cast = await startCast({
    ...settings,
    plan,
    fake,
    dir,
    wechatUrl: proxies.wechat.url('http'),
    workerUrls: seenBy.workers.map(({ url }) => url),
    producerUrl: seenBy.producers.url,
  })
  return {
    ...cast,
    proxies,
    seenBy,
    concurrency: settings.concurrency,
    sendTimeoutMs: SEND_TIMEOUT_MS,
    redisUrl: redis.url,
    redisPort: () => redis.port,
    writeCommands: await readWriteCommands(redis.url),
    async killRedis(awayMs) {
      const { port } = redis
      await redis.kill9()
      await sleep(awayMs)
      redis = await startLocalRedis({ ...redisOptions, port })
    },
    async close() {
      await cast.close()
      await Promise.all([...Object.values(proxies), ...seenBy.workers, seenBy.producers].map((proxy) => proxy.close()))
      await Promise.all([fake.close(), redis.stop()])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export async function readWriteCommands(url: string): Promise<Set<string>> {
  const redis = connectRedis(url, 'operate')
  const names = (await redis.call('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'write')) as string[]
  redis.disconnect()
  return new Set(names.map((name) => name.toLowerCase()))
}
