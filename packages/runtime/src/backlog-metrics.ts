/**
 * What waits in Redis, as gauges that worker and gateway share: the gateway tells it even while no worker runs. It is read
 * when somebody scrapes, at most once in some seconds, and a scrape waits for it no longer than a moment: without Redis
 * it answers with what it has, and drops that once it is too old to be believed.
 */
import {
  type Backlog,
  readBacklog,
  readSuspensions,
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
  /** The apps to tell of; their number bounds that of the series. */
  readonly apps: (store: Store) => Promise<readonly string[]>
  /** Which of them are held for a fault or a quota, and the name of the reason. Default: as Redis has it. */
  readonly suspensions?: (store: Store, apps: readonly string[]) => Promise<ReadonlyMap<string, string>>
}

interface Reading {
  readonly at: number
  /** Epoch milliseconds by Redis's clock. */
  readonly now: () => number
  readonly backlogs: ReadonlyMap<string, Backlog>
  readonly suspensions: ReadonlyMap<string, string>
  readonly unserved: readonly UnservedApp[]
}

export function addBacklogMetrics(registry: Registry, options: BacklogMetricsOptions): void {
  const read = createReader(options)
  const registers = [registry]
  const fill = async (gauge: { reset(): void }, set: (reading: Reading) => void): Promise<void> => {
    const { reading } = await read()
    gauge.reset()
    if (reading !== undefined) set(reading)
  }
  const depth: Gauge<'app' | 'queue' | 'state'> = new Gauge({
    name: 'wxo_queue_depth',
    help: 'Messages and dead letters in Redis, by queue and state.',
    labelNames: ['app', 'queue', 'state'],
    registers,
    collect: () =>
      fill(depth, ({ backlogs }) => {
        for (const [app, { send, deadLetter }] of backlogs) {
          for (const [state, count] of Object.entries(send)) depth.set({ app, queue: 'send', state }, count)
          for (const [state, count] of Object.entries(deadLetter)) {
            depth.set({ app, queue: 'dead-letter', state }, count)
          }
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
  const suspended: Gauge<'app' | 'reason'> = new Gauge({
    name: 'wxo_app_suspended',
    help: '1 for an app whose messages wait because of a fault that is its own.',
    labelNames: ['app', 'reason'],
    registers,
    collect: () =>
      fill(suspended, ({ suspensions }) => {
        for (const [app, reason] of suspensions) suspended.set({ app, reason }, 1)
      }),
  })
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
  const up: Gauge<never> = new Gauge({
    name: 'wxo_redis_up',
    help: 'Whether Redis answered when it was last asked for these metrics.',
    registers,
    collect: async () => up.set((await read()).isCurrent ? 1 : 0),
  })
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

async function readAll({
  store: open,
  apps: list,
  suspensions = readSuspensions,
}: BacklogMetricsOptions): Promise<Reading> {
  const store = await open()
  const apps = await list(store)
  // Messages bear Redis's times.
  await store.clock.measure()
  const now = store.clock.now()
  // ioredis writes what is asked at once in one go: 200 apps cost one round trip.
  const backlogs = await Promise.all(apps.map(async (app) => [app, await readBacklog(store, app, now)] as const))
  return {
    at: performance.now(),
    now: () => store.clock.now(),
    backlogs: new Map(backlogs),
    suspensions: await suspensions(store, apps),
    unserved: await readUnserved(store),
  }
}
