/**
 * The system under fire, in real processes: Redis, workers and producers. The fake WeChat lives in this process, where
 * its ledger is at hand, and all roads lead over proxies: workers to Redis, workers to WeChat, producers to Redis. Before the
 * roads to Redis, each worker and the producers have a proxy of their own, which can refuse their commands.
 */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import {
  type FakeWechat,
  type RedisProxy,
  SANDBOX_APP_ID,
  SANDBOX_APP_SECRET,
  startFakeWechat,
  startLocalRedis,
  startProcess,
  startRedisProxy,
  startTcpProxy,
  type TcpProxy,
} from '@wechat-outbox/sandbox'
import { CALM_FROM } from './fault-plan.ts'
import type { Plan } from './plan.ts'
import { type BookLine, parseBook } from './producer-book.ts'
import { type Supervised, supervise } from './supervise.ts'

const ROOT = join(import.meta.dirname, '../../..')
export const APP = SANDBOX_APP_ID

export interface World {
  readonly fake: FakeWechat
  readonly workers: readonly Supervised[]
  readonly producers: readonly Supervised[]
  readonly roads: Readonly<Record<'wechat' | 'redis' | 'producers', TcpProxy>>
  /** The Redis that each worker sees, and the one that all producers see. */
  readonly seenBy: { readonly workers: readonly RedisProxy[]; readonly producers: RedisProxy }
  readonly concurrency: number
  readonly sendTimeoutMs: number
  /** The straight way to Redis, for looking and for making it refuse. */
  readonly redisUrl: string
  redisPort(): number
  /** In lower case; scripts are not among them. */
  readonly writeCommands: ReadonlySet<string>
  /** The share of the messages that have reached WeChat. */
  progress(): number
  /** Lets the producers wait a moment and then do much at once, so that what comes next meets them at work. */
  surge(): Promise<void>
  /** Lets the producers send the last part, which is kept for the time after the faults. */
  calm(): void
  /** kill -9, and after `awayMs` another one on the same file and port. */
  killRedis(awayMs: number): Promise<void>
  /** What each producer wrote down. */
  books(): Promise<BookLine[][]>
  close(): Promise<void>
}

export interface WorldSettings {
  readonly seed: number
  readonly workers: number
  /** How long a lock and a lease last. */
  readonly leaseMs: number
  readonly concurrency: number
  /** Messages that producers may be ahead of WeChat. */
  readonly ahead: number
}

const SEND_TIMEOUT_MS = 1000
const GATE_EVERY_MS = 40
const GATE_OPENS_AFTER_MS = 2000
const GATE_STEP = 200
const SURGE_HOLD_MS = 300
const SURGE_STEP = 150

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
  fake.control.addFault({ fault: { name: 'latency', minMs: 1, maxMs: 30 } })
  fake.control.addFault({ rate: 0.03, fault: { name: 'errcode', errcode: -1 } })
  const roads = {
    wechat: await startTcpProxy({ targetPort: Number(new URL(fake.url).port) }),
    redis: await startTcpProxy({ targetPort: redis.port }),
    producers: await startTcpProxy({ targetPort: redis.port }),
  }
  const seenBy = {
    workers: await Promise.all(
      Array.from({ length: settings.workers }, () => startRedisProxy({ targetPort: roads.redis.port })),
    ),
    producers: await startRedisProxy({ targetPort: roads.producers.port }),
  }
  const workerEnv = {
    WECHAT_API_BASE_URL: roads.wechat.url('http'),
    WECHAT_APP_ID: APP,
    WECHAT_APP_SECRET: SANDBOX_APP_SECRET,
    WORKER_PORT: '0',
    WORKER_CONCURRENCY: String(settings.concurrency),
    STALLED_AFTER_MS: String(settings.leaseMs),
    SEND_TIMEOUT_MS: String(SEND_TIMEOUT_MS),
    // A fault of the road holds the app for a moment, as any other fault of the chaos lasts a moment.
    PROBE_EVERY_MS: '500',
    RETRY_BACKOFF_MS: '10',
    RETRY_BACKOFF_MS_MAX: '100',
    // Nobody shall die of bad luck: every broken call counts as a try.
    RETRY_ATTEMPTS_MAX: '1000',
    RETAIN_DELIVERED_MAX: '1000000',
  }
  const gateFile = join(dir, 'gate')
  const gate = await openGate(gateFile, { plan, fake, ahead: settings.ahead })
  const bookOf = (name: string): string => join(dir, `${name}.book`)
  const workers = seenBy.workers.map(({ url }, index) => {
    const args = [join(ROOT, 'apps/worker/src/main.ts')]
    const env = { ...workerEnv, REDIS_URL: url }
    return supervise(`worker-${index + 1}`, () => startProcess({ args, cwd: ROOT, env }))
  })
  const producers: Supervised[] = []
  for (const part of plan.producers) {
    const planFile = join(dir, `${part.name}.json`)
    await writeFile(planFile, JSON.stringify(part))
    const script = join(import.meta.dirname, 'producer.ts')
    const args = [script, planFile, bookOf(part.name), gateFile, seenBy.producers.url, APP]
    producers.push(supervise(part.name, () => startProcess({ args, cwd: ROOT })))
  }
  return {
    fake,
    workers,
    producers,
    roads,
    seenBy,
    concurrency: settings.concurrency,
    sendTimeoutMs: SEND_TIMEOUT_MS,
    redisUrl: redis.url,
    redisPort: () => redis.port,
    writeCommands: await readWriteCommands(redis.url),
    progress: () => fake.ledger.acceptedCount() / plan.messages.size,
    surge: () => gate.surge(),
    calm: () => gate.calm(),
    async killRedis(awayMs) {
      const { port } = redis
      await redis.kill9()
      await sleep(awayMs)
      redis = await startLocalRedis({ ...redisOptions, port })
    },
    books: () => Promise.all(plan.producers.map(async ({ name }) => parseBook(await readFile(bookOf(name), 'utf8')))),
    async close() {
      gate.stop()
      await Promise.all([...workers, ...producers].map((one) => one.end()))
      await Promise.all([...Object.values(roads), ...seenBy.workers, seenBy.producers].map((proxy) => proxy.close()))
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

interface Gate {
  stop(): void
  surge(): Promise<void>
  calm(): void
}

/** Keeps the queue filled and no more: with all stored at once, kills of producers would meet none at work. */
async function openGate(file: string, at: { plan: Plan; fake: FakeWechat; ahead: number }): Promise<Gate> {
  let granted = 0
  let held = false
  let limit = CALM_FROM
  let seen = 0
  let since = performance.now()
  let writing: Promise<void> = Promise.resolve()
  const writeNow = async (): Promise<void> => {
    if (held) return
    const reached = at.fake.ledger.acceptedCount()
    if (reached !== seen) {
      seen = reached
      since = performance.now()
    } else if (performance.now() - since > GATE_OPENS_AFTER_MS) {
      // Those that died or were cancelled never reach WeChat: nobody shall wait for them.
      granted += GATE_STEP
      since = performance.now()
    }
    // In one step, or a producer would read half a number.
    const share = (reached + at.ahead + granted) / at.plan.messages.size
    await writeFile(`${file}.new`, String(Math.min(limit, share)))
    await rename(`${file}.new`, file)
  }
  // One at a time: two would share the new file.
  const write = (): Promise<void> => {
    writing = writing.catch(() => undefined).then(writeNow)
    return writing
  }
  await write()
  const timer = setInterval(() => void write().catch(() => undefined), GATE_EVERY_MS)
  return {
    stop: () => clearInterval(timer),
    calm() {
      limit = 1
    },
    async surge() {
      held = true
      await sleep(SURGE_HOLD_MS)
      granted += SURGE_STEP
      held = false
      await write()
    },
  }
}
