/**
 * How a BullMQ Worker waits for work. A blocking connection of its own for each queue would be many in a process that serves
 * many apps with nothing to do, so an idle queue waits together with all others of the process (`shared-wait.ts`). A
 * queue that is woken again and again within a few seconds is busy, and gets a connection of its own, on which everything
 * is as BullMQ does it; after a few quiet seconds that is closed again.
 *
 *   idle   waits with the others; a delayed job ends the wait by a timer      → busy by BUSY_WAKES within BUSY_MS
 *   busy   BZPOPMIN of its own, for BUSY_MS at most                            → idle when one has found nothing, or fails
 *
 * An idle queue is also woken by the queue poll, on a connection that has proved itself; so trouble with its own connection makes
 * a queue idle. On a Redis Cluster, where one command cannot wait for keys of several slots, each queue has its own.
 */
import { QueueKeys, RedisConnection, type RedisQueueBackend, type WorkerOptions } from 'bullmq'
import type { RedisClock } from '../redis/clock.ts'
import { duplicateClient, type RedisClient } from '../redis/connection.ts'
import type { Store } from '../redis/store.ts'
import { within } from '../within.ts'
import { OutboxBackend, type OutboxBackendOptions } from './backend.ts'
import type { SharedWait, Waiting } from './shared-wait.ts'

const BUSY_MS = 5000
/** What the end of such a wait may be late. BullMQ would wait for as long as the connection takes to come back. */
const LATE_MS = 3000
/** Two messages: each wakes, and again when it is fetched where more may wait. */
const BUSY_WAKES = 4
/** An idle queue is looked at by its Worker itself, in seconds; the queue poll does so much more often, and cheaper. */
export const IDLE_S = 600
/** BullMQ's own text for a wait that was interrupted: it takes it for what it is and stays silent. */
const INTERRUPTED = 'Connection is closed.'

type Waited = ReturnType<RedisQueueBackend['waitForJob']>

/** The backend of the Worker of messages. Without `sharedWait` it has a blocking connection of its own. */
export function openBackend(
  of: { queue: string; opts: WorkerOptions; sharedWait: SharedWait | undefined },
  options: OutboxBackendOptions,
): OutboxBackend {
  const { queue, opts, sharedWait } = of
  const { store } = options
  const keys = new QueueKeys(opts.prefix)
  const toKey = (type: string): string => keys.toKey(queue, type)
  const open = (connection: RedisConnection, own?: RedisConnection): OutboxBackend =>
    new OutboxBackend(connection, queue, keys.getKeys(queue), toKey, opts, own, own !== undefined).serve(options)
  if (sharedWait !== undefined) return waitingTogether(open(store.bullmqConnection), { store, sharedWait })
  const connection = new RedisConnection(store.redis, { shared: true, blocking: false })
  return localTimes(open(connection, openBlocking(store.redis, `${opts.prefix}:${queue}`)), store.clock)
}

/** A connection for the command that waits for a marker. */
function openBlocking(redis: RedisClient, connectionName: string): RedisConnection {
  return new RedisConnection(duplicateClient(redis, { connectionName }), { shared: false, blocking: true })
}

/** A marker's time is Redis's, and BullMQ waits by this machine's clock. */
function localTimes(backend: OutboxBackend, clock: RedisClock): OutboxBackend {
  const waitForJob = backend.waitForJob.bind(backend)
  return Object.assign(backend, {
    async waitForJob(seconds: number): Promise<Awaited<Waited>> {
      const marker = await waitForJob(seconds)
      return marker && { ...marker, score: marker.score === 0 ? 0 : clock.toLocal(marker.score) }
    },
  })
}

function waitingTogether(
  backend: OutboxBackend,
  { store, sharedWait }: { store: Store; sharedWait: SharedWait },
): OutboxBackend {
  localTimes(backend, store.clock)
  const waitForJob = backend.waitForJob.bind(backend)
  const marker = backend.keys['marker'] ?? ''
  let waiting: Waiting | undefined
  let wakes: number[] = []

  function becomeBusy(): void {
    backend.blockingConnection = openBlocking(store.redis, backend.clientName())
    backend.blockingConnection.on('error', (error: Error) => backend.emit('error', error))
  }

  /** Ends at once what waits on the connection, if anything does. */
  async function becomeIdle(): Promise<void> {
    const own = backend.blockingConnection
    backend.blockingConnection = undefined as never
    await own?.close(true)
  }

  async function waitIdle(seconds: number): Waited {
    waiting = sharedWait.wait(marker, seconds * 1000)
    const heard = await waiting.heard.finally(() => (waiting = undefined))
    if (heard === null) return null
    const now = performance.now()
    wakes = [...wakes.filter((at) => now - at < BUSY_MS), now]
    if (wakes.length >= BUSY_WAKES) becomeBusy()
    return heard
  }

  async function waitBusy(seconds: number): Waited {
    const ms = Math.min(seconds * 1000, BUSY_MS)
    const heard = await within(waitForJob(ms / 1000), ms + LATE_MS, 'late' as const)
    if (heard !== 'late' && (heard !== null || ms < BUSY_MS)) return heard
    wakes = []
    await becomeIdle()
    return null
  }

  // How long it may wait at once, in seconds: BullMQ's ten are for a connection that has to be doubted.
  Object.defineProperty(backend, 'maximumBlockTimeout', { value: IDLE_S })
  return Object.assign(backend, {
    waitForJob: (seconds: number) => (backend.blockingConnection === undefined ? waitIdle(seconds) : waitBusy(seconds)),
    async disconnectBlocking() {
      waiting?.cancel(new Error(INTERRUPTED))
      await becomeIdle()
    },
    reconnectBlocking: becomeIdle,
    close: becomeIdle,
  })
}
