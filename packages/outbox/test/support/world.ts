/** A Redis of its own for a test file, and the parts of the outbox on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppFault, Attempt, DeadLetter, Reason, SendRequest, WindowDisagreement } from '@wechat-outbox/messages'
import { startLocalRedis } from '@wechat-outbox/sandbox'
import { Queue } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { HoldKeeper } from '../../src/app-hold/keeper.ts'
import { type SharedWait, sharedWaitFor } from '../../src/bullmq/shared-wait.ts'
import type { OutboxOptions } from '../../src/producer/options.ts'
import { Outbox } from '../../src/producer/outbox.ts'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { appKeys, appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '../../src/redis/keys.ts'
import { openStore, type Store } from '../../src/redis/store.ts'
import type { Task } from '../../src/tasks/task.ts'
import { type Consumer, type ConsumerOptions, createConsumer } from '../../src/worker/consumer.ts'
import type { LaneMember, Run, Settlement } from '../../src/worker/run.ts'
import type { Trouble } from '../../src/worker/settler.ts'

/** What a loaded machine may take; none of it is asserted. */
export const WAIT_MS = 20_000

export const APP = 'wx0123456789abcdef'
export const keys = appKeys(APP)

export interface World {
  readonly url: string
  readonly redis: RedisClient
  readonly store: Store
  readonly sharedWait: SharedWait | undefined
  readonly send: Queue
  readonly dead: Queue
  outbox(options?: Partial<OutboxOptions>): Outbox
  /** Stores messages by an Outbox of their own. Returns the ids of those that were accepted. */
  accept(requests: readonly SendRequest[]): Promise<string[]>
  consumer(deliver: (run: Run) => Promise<Settlement>, options?: Partial<ConsumerOptions>): Promise<Reported>
  stopRedis(how: 'stop' | 'kill9'): Promise<void>
  startRedis(): Promise<void>
  close(): Promise<void>
}

export interface Reported {
  readonly consumer: Consumer
  readonly dead: { id: string; letter: DeadLetter }[]
  readonly replayed: { id: string; replayOf: string }[]
  readonly tasks: { task: Task; event: 'started' | 'ended' }[]
  readonly problems: { what: string; error: string }[]
  readonly suspended: { fault: AppFault; until: number }[]
  /** What became of probes, in order. */
  readonly resumed: ('resumed' | 'again')[]
  readonly disagreements: WindowDisagreement[]
  /** What Redis refused to record. */
  readonly troubles: Trouble[]
  /** Times at which the process would have been ended. */
  readonly stuck: number[]
}

/** One for all tests of a file or suite, there from before the first. `isFlushed`: no test finds what another one left in Redis. */
export function sharedWorld({ isFlushed = false } = {}): World {
  const world = {} as World
  beforeAll(async () => {
    Object.assign(world, await createWorld())
  })
  if (isFlushed) beforeEach(() => world.redis.flushall())
  afterAll(() => world.close())
  return world
}

/** One for each test, for tests that stop Redis or leave workers at work. */
export function ownWorld(): World {
  const world = {} as World
  beforeEach(async () => {
    Object.assign(world, await createWorld())
  })
  afterEach(() => world.close())
  return world
}

export async function createWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-outbox-'))
  let server = await startLocalRedis({ dir })
  const { url, port } = server
  const redis = connectRedis(url, 'work')
  const closing: (() => Promise<unknown>)[] = []
  redis.on('error', () => undefined)
  await whenReady(redis, 5000)
  const store = await openStore(redis)
  const sharedWait = sharedWaitFor(redis, store.clock)
  const queue = (name: string): Queue => {
    const made = new Queue(name, { connection: redis, prefix: appPrefix(APP) })
    made.on('error', () => undefined)
    return made
  }
  const send = queue(SEND_QUEUE)
  const dead = queue(DEAD_LETTER_QUEUE)
  const openOutbox = (options: Partial<OutboxOptions> = {}): Outbox => {
    const outbox = new Outbox({ redis: url, appid: APP, ...options })
    closing.push(() => outbox.close())
    return outbox
  }
  return {
    url,
    redis,
    store,
    sharedWait,
    send,
    dead,
    outbox: openOutbox,
    async accept(requests) {
      const results = await openOutbox().sendMany(requests)
      return results.flatMap((result) => ('id' in result ? [result.id] : []))
    },
    async consumer(deliver, options = {}) {
      const reported: Omit<Reported, 'consumer'> = {
        dead: [],
        replayed: [],
        tasks: [],
        problems: [],
        suspended: [],
        resumed: [],
        disagreements: [],
        troubles: [],
        stuck: [],
      }
      const consumer = createConsumer({
        ...consumerDefaults(store),
        sharedWait,
        deliver,
        report: {
          dead: (one) => reported.dead.push(one),
          replayed: (one) => reported.replayed.push(one),
          task: (task, event) => reported.tasks.push({ task, event }),
          windowDisagreed: (kind) => reported.disagreements.push(kind),
          expired: () => undefined,
          problem: (one) => reported.problems.push(one),
          stuck: () => reported.stuck.push(performance.now()),
          suspended: (fault, until) => reported.suspended.push({ fault, until }),
          resumed: () => reported.resumed.push('resumed'),
          stillHeld: () => reported.resumed.push('again'),
          unsettled: (trouble) => reported.troubles.push(trouble),
          settledAgain: () => undefined,
        },
        ...options,
      })
      closing.push(() => consumer.close(2000))
      await consumer.run()
      return { consumer, ...reported }
    },
    async stopRedis(how) {
      await (how === 'stop' ? server.stop() : server.kill9())
    },
    async startRedis() {
      server = await startLocalRedis({ dir, port })
    },
    async close() {
      for (const close of closing.toReversed()) await close()
      await Promise.all([send.close(), dead.close()])
      sharedWait?.close()
      redis.disconnect()
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Each run asks for its turn itself, as it does when something has to be waited for before a call. */
export const ASKING = { isReady: () => false }

export function consumerDefaults(store: Store) {
  return {
    appid: APP,
    store,
    explainFailure: (text: string, wasOpen: boolean): Reason =>
      reasonOf({ errcode: null, name: wasOpen ? 'unsure' : 'failed-elsewhere', errmsg: text }),
    explainExpiry: (): Reason => reasonOf({ errcode: null, name: 'expired', errmsg: '' }),
    isReady: () => true,
    probeToken: () => Promise.resolve(true),
    concurrency: 32,
    stalledAfterMs: 2000,
    retain: { deliveredMs: 3_600_000, deliveredMax: 100_000, deadMs: 3_600_000 },
    rememberMs: 3_600_000,
    replayPerSecond: 0,
  }
}

export function reasonOf(given: Partial<Reason> = {}): Reason {
  return {
    errcode: 45015,
    name: 'reply-window-closed',
    errmsg: 'response out of time limit',
    meaning: { en: 'The window is closed.', zh: '回复时间超过限制' },
    source: 'test',
    ...given,
  }
}

export function attemptMade(given: Partial<Attempt> = {}): Attempt {
  return { at: Date.now(), outcome: 'delivered', ms: 1, errcode: 0, errmsg: 'ok', ...given }
}

export const DELIVERED = { kind: 'delivered', attempts: [attemptMade()] } as const

export const dies = (given: Partial<Reason> = {}): Settlement => ({
  kind: 'dead',
  reason: reasonOf(given),
  attempts: [attemptMade({ outcome: 'dead', errcode: 45015 })],
})

export const retry = (delayMs: number): Settlement => ({
  kind: 'snooze',
  delayMs,
  counts: true,
  attempts: [attemptMade({ outcome: 'retry', errcode: -1 })],
})

/** Admits the message and delivers it, telling the caller in what order. */
export function delivering(sent: string[]): (run: Run) => Promise<Settlement> {
  return async (run) => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    sent.push(run.id)
    return { kind: 'delivered', attempts: [attemptMade()] }
  }
}

export const memberOf = (run: Run): LaneMember => run.data as LaneMember

export function touserOf(run: Run): string {
  return (run.data as { touser: string }).touser
}

export const text = (touser: string, content = 'hello') => ({ touser, msgtype: 'text' as const, text: { content } })

/** For runs of apps that nothing holds. */
export const openKeeper: HoldKeeper = {
  signal: () => Promise.resolve(false),
  unused: () => Promise.resolve(),
  look: () => Promise.resolve(),
  stop: () => undefined,
}
