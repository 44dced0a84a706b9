/**
 * A BullMQ Worker whose blocking connection exists only while it has something to do. BullMQ asks its backend to wait for
 * work, and this backend waits at the doorbell that all queues of the process share. When that rings again and again within
 * a few seconds the queue is busy, and gets a connection of its own, on which everything is as BullMQ does it; after a few
 * quiet seconds that is closed again. Nothing else of the Worker changes, and how fast a busy one fetches does not either.
 *
 *   asleep   waits at the doorbell; a delayed job ends the wait by a timer   → awake by WAKING_RINGS within AWAKE_MS
 *   awake    BZPOPMIN of its own, for AWAKE_MS at most                        → asleep when one has heard nothing, or fails
 *
 * A sleeper is also rung by the rounds, on a connection that has proved itself; so trouble with its own sends it to sleep.
 */
import { RedisConnection, type RedisQueueBackend, type WorkerOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Store } from '../redis/store.ts'
import { within } from '../within.ts'
import type { Doorbell, Waiting } from './shared-wait.ts'

const AWAKE_MS = 5000
/** What the end of such a wait may be late. BullMQ would wait for as long as the connection takes to come back. */
const LATE_MS = 3000
/** Two messages: each rings, and again when it is fetched, because BullMQ tells other workers then that there may be more. */
const WAKING_RINGS = 4
/** A sleeping worker looks into its queue by itself, in seconds; the rounds do so much more often, and cheaper. */
export const ASLEEP_S = 600
/** BullMQ's own text for a wait that was interrupted: it takes it for what it is and stays silent. */
const INTERRUPTED = 'Connection is closed.'

export function dozingBackend(
  store: Store,
  { bell, queue, opts }: { bell: Doorbell; queue: string; opts: WorkerOptions },
): RedisQueueBackend {
  const backend = store.workerBackend(queue, opts)
  const waitForJob = backend.waitForJob.bind(backend)
  const marker = backend.keys['marker'] ?? ''
  let waiting: Waiting | undefined
  let rings: number[] = []

  function wakeUp(): void {
    const client = (store.redis as Redis).duplicate({ connectionName: backend.clientName() })
    backend.blockingConnection = new RedisConnection(client, { shared: false, blocking: true })
    backend.blockingConnection.on('error', (error: Error) => backend.emit('error', error))
  }

  /** Ends at once what waits on the connection, if anything does. */
  async function fallAsleep(): Promise<void> {
    const own = backend.blockingConnection
    backend.blockingConnection = undefined as never
    await own?.close(true)
  }

  async function waitAsleep(seconds: number): ReturnType<RedisQueueBackend['waitForJob']> {
    waiting = bell.wait(marker, seconds * 1000)
    const heard = await waiting.heard.finally(() => (waiting = undefined))
    if (heard === null) return null
    const now = performance.now()
    rings = [...rings.filter((at) => now - at < AWAKE_MS), now]
    if (rings.length >= WAKING_RINGS) wakeUp()
    return heard
  }

  async function waitAwake(seconds: number): ReturnType<RedisQueueBackend['waitForJob']> {
    const ms = Math.min(seconds * 1000, AWAKE_MS)
    const heard = await within(waitForJob(ms / 1000), ms + LATE_MS, 'late' as const)
    if (heard !== 'late' && (heard !== null || ms < AWAKE_MS)) return heard
    rings = []
    await fallAsleep()
    return null
  }

  // How long it may wait at once, in seconds: BullMQ's ten are for a connection that has to be doubted.
  Object.defineProperty(backend, 'maximumBlockTimeout', { value: ASLEEP_S })
  return Object.assign(backend, {
    waitForJob: (seconds: number) =>
      backend.blockingConnection === undefined ? waitAsleep(seconds) : waitAwake(seconds),
    async disconnectBlocking() {
      waiting?.cancel(new Error(INTERRUPTED))
      await fallAsleep()
    },
    reconnectBlocking: fallAsleep,
    close: fallAsleep,
  })
}
