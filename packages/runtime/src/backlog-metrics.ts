/**
 * What waits in Redis, as gauges that worker and gateway share: the gateway reports it even while no worker runs. It is read
 * when somebody scrapes, at most once in some seconds, and a scrape waits for it no longer than a moment: without Redis
 * it answers with what it has, and drops that once it is too old to be believed.
 */
import {
  type Backlog,
  type Hold,
  type RedisMemory,
  readBacklog,
  readHolds,
  readMemory,
  readUnserved,
  type Store,
  type UnservedApp,
  within,
} from '@wechat-outbox/outbox/engine'
import { Gauge, type Registry } from 'prom-client'

const READ_EVERY_MS = 5000
const READ_MS_MAX = 2000
const BELIEVED_MS = 60_000

export interface BacklogMetricsOptions {
  /** @throws while Redis is away */
  readonly store: () => Promise<Store>
  /** The apps to report; their number bounds that of the series. */
  readonly apps: (store: Store) => Promise<readonly string[]>
}

interface Reading {
  readonly at: number
  /** Epoch milliseconds by Redis's clock. */
  readonly now: () => number
  readonly backlogs: ReadonlyMap<string, Backlog>
  readonly holds: readonly Hold[]
  readonly unserved: readonly UnservedApp[]
  readonly memory: RedisMemory
}

type Fill = (gauge: { reset(): void }, set: (reading: Reading) => void) => Promise<void>

export function addBacklogMetrics(registry: Registry, options: BacklogMetricsOptions): void {
  const read = createReader(options)
  const registers = [registry]
  const fill: Fill = async (gauge, set) => {
    const { reading } = await read()
    gauge.reset()
    if (reading !== undefined) set(reading)
  }
  const depth: Gauge<'app' | 'queue' | 'state'> = new Gauge({
    name: 'wxo_queue_depth',
    help: 'Messages, dead letters and callbacks in Redis, by queue and state.',
    labelNames: ['app', 'queue', 'state'],
    registers,
    collect: () =>
      fill(depth, ({ backlogs }) => {
        for (const [app, { send, deadLetter, callback }] of backlogs) {
          for (const [state, count] of Object.entries(send)) depth.set({ app, queue: 'send', state }, count)
          for (const [state, count] of Object.entries(deadLetter)) {
            depth.set({ app, queue: 'dead-letter', state }, count)
          }
          for (const [state, count] of Object.entries(callback)) depth.set({ app, queue: 'callback', state }, count)
        }
      }),
  })
  const age: Gauge<'app'> = new Gauge({
    name: 'wxo_oldest_message_age_seconds',
    help: 'For how long the oldest message that is due has been waiting; 0: none waits.',
    labelNames: ['app'],
    registers,
    collect: () =>
      fill(age, ({ backlogs, now: nowMs }) => {
        const now = nowMs()
        for (const [app, { oldestSince }] of backlogs) {
          age.set({ app }, oldestSince === null ? 0 : Math.max(0, now - oldestSince) / 1000)
        }
      }),
  })
  const awaiting: Gauge<'app'> = new Gauge({
    name: 'wxo_waiting_for_user',
    help: 'Messages that wait for the next action of their users; they are among those that are delayed.',
    labelNames: ['app'],
    registers,
    collect: () =>
      fill(awaiting, ({ backlogs }) => {
        for (const [app, { waitingForUser }] of backlogs) awaiting.set({ app }, waitingForUser)
      }),
  })
  addHoldMetrics(registers, fill)
  const unserved: Gauge<'app'> = new Gauge({
    name: 'wxo_unserved_messages',
    help: 'Messages and replays of an app that no worker serves now.',
    labelNames: ['app'],
    registers,
    collect: () =>
      fill(unserved, (reading) => {
        for (const { appid: app, waiting } of reading.unserved) unserved.set({ app }, waiting)
      }),
  })
  addMemoryMetrics(registers, fill)
  const up: Gauge<never> = new Gauge({
    name: 'wxo_redis_up',
    help: 'Whether Redis answered when it was last asked for these metrics.',
    registers,
    collect: async () => up.set((await read()).isCurrent ? 1 : 0),
  })
}

/** An app may be suspended and paused at once, and whoever ends one of them has not ended the other. */
function addHoldMetrics(registers: Registry[], fill: Fill): void {
  const suspended: Gauge<'app' | 'reason'> = new Gauge({
    name: 'wxo_app_suspended',
    help: '1 for an app whose messages wait because of a fault that is its own.',
    labelNames: ['app', 'reason'],
    registers,
    collect: () =>
      fill(suspended, ({ holds }) => {
        for (const { appid: app, fault } of holds) {
          if (fault !== undefined) suspended.set({ app, reason: fault.reason.name }, 1)
        }
      }),
  })
  const paused: Gauge<'app' | 'by'> = new Gauge({
    name: 'wxo_app_paused',
    help: '1 for an app that an operator, or somebody with BullMQ, has paused: only they end it.',
    labelNames: ['app', 'by'],
    registers,
    collect: () =>
      fill(paused, ({ holds }) => {
        for (const { appid: app, operator, pausedElsewhere } of holds) {
          if (operator !== undefined) paused.set({ app, by: 'operator' }, 1)
          if (pausedElsewhere) paused.set({ app, by: 'bullmq' }, 1)
        }
      }),
  })
  const held: Gauge<'app' | 'reason'> = new Gauge({
    name: 'wxo_callbacks_held',
    help: '1 for an app whose receiver of callbacks is told nothing: failing, and tried now and then, or gone.',
    labelNames: ['app', 'reason'],
    registers,
    collect: () =>
      fill(held, ({ backlogs }) => {
        for (const [app, { receiverHeld: reason }] of backlogs) if (reason !== undefined) held.set({ app, reason }, 1)
      }),
  })
}

/** Where Redis does not show it, because an access list refuses INFO, there are no series. */
function addMemoryMetrics(registers: Registry[], fill: Fill): void {
  const used: Gauge<never> = new Gauge({
    name: 'wxo_redis_memory_bytes',
    help: 'Memory that Redis uses; of a cluster, the master that is nearest to its limit.',
    registers,
    collect: () => fill(absentOf(used), ({ memory }) => setIfTold(used, memory.usedMemoryBytes)),
  })
  const limit: Gauge<never> = new Gauge({
    name: 'wxo_redis_memory_limit_bytes',
    help: 'maxmemory of the same server; 0: no limit.',
    registers,
    collect: () => fill(absentOf(limit), ({ memory }) => setIfTold(limit, memory.maxMemoryBytes)),
  })
}

/** A gauge without labels has the value 0 after a reset, which is not the same as no value. */
const absentOf = (gauge: Gauge<never>) => ({ reset: () => gauge.remove() })

function setIfTold(gauge: Gauge<never>, value: number | undefined): void {
  if (value !== undefined) gauge.set(value)
}

interface Read {
  /** The last one that succeeded, unless it is too old. */
  readonly reading: Reading | undefined
  readonly isCurrent: boolean
}

/** One look at a time, whoever asks, and one that hangs holds up no scrape but the first ones for a moment each. */
function createReader(options: BacklogMetricsOptions): () => Promise<Read> {
  let last: Reading | undefined
  let startedAt = -Infinity
  let isCurrent = false
  let underWay: Promise<void> | undefined
  const look = async (): Promise<void> => {
    try {
      last = await readAll(options)
      isCurrent = true
    } catch {
      isCurrent = false
    } finally {
      underWay = undefined
    }
  }
  return async () => {
    const now = performance.now()
    if (underWay === undefined && now - startedAt >= READ_EVERY_MS) {
      startedAt = now
      underWay = look()
    }
    if (underWay !== undefined) {
      const leftMs = startedAt + READ_MS_MAX - now
      const isRead =
        leftMs > 0 &&
        (await within(
          underWay.then(() => true),
          leftMs,
          false,
        ))
      if (!isRead) isCurrent = false
    }
    const isBelieved = last !== undefined && performance.now() - last.at < BELIEVED_MS
    return { reading: isBelieved ? last : undefined, isCurrent }
  }
}

async function readAll({ store: open, apps: list }: BacklogMetricsOptions): Promise<Reading> {
  const store = await open()
  const apps = await list(store)
  // Messages bear Redis's times.
  await store.clock.measure()
  const now = store.clock.now()
  // ioredis writes what is asked at once in one go: 200 apps cost one round trip.
  const [backlogs, holds, memory] = await Promise.all([
    Promise.all(apps.map(async (app) => [app, await readBacklog(store, app, now)] as const)),
    readHolds(store, apps),
    readMemory(store.redis),
  ])
  return {
    at: performance.now(),
    now: () => store.clock.now(),
    backlogs: new Map(backlogs),
    holds,
    unserved: await readUnserved(store),
    memory,
  }
}
