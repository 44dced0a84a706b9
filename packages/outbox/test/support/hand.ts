/** A worker moved by hand: a test fetches a message, takes the steps of its run one by one, and ends it between any two. */
import { type Job, Worker } from 'bullmq'
import { appPrefix, SEND_QUEUE } from '../../src/redis/keys.ts'
import { createRun, type OwnRun, type Settlement, settle } from '../../src/worker/run.ts'
import { APP, keys, openKeeper, type World } from './world.ts'

const LEASE_MS = 60_000

export interface Held {
  readonly id: string
  readonly job: Job
  readonly token: string
  readonly run: OwnRun
  /** Makes a settlement true; gives what the job will return, or the name of the control error that BullMQ is told. */
  settle(settlement: Settlement): Promise<unknown>
  /** The worker dies here: its lock lapses, and the message waits for the next one. */
  die(): Promise<void>
}

export interface Hand {
  /** @throws when nothing waits */
  fetch(): Promise<Held>
  close(): Promise<void>
}

export function createHand(world: World): Hand {
  const worker = new Worker(SEND_QUEUE, undefined, {
    connection: world.redis,
    prefix: appPrefix(APP),
    autorun: false,
    lockDuration: LEASE_MS,
    skipLockRenewal: true,
    skipStalledCheck: true,
    maxStalledCount: 1_000_000,
  })
  worker.on('error', () => undefined)
  let fetched = 0
  return {
    async fetch() {
      fetched += 1
      const token = `hand:${fetched}`
      const job: Job | undefined = await worker.getNextJob(token, { block: false })
      if (job === undefined) throw new Error('nothing waits')
      const options = { appid: APP, store: world.store, leaseMs: LEASE_MS, keeper: openKeeper }
      const run = createRun(job, { token, signal: new AbortController().signal }, options)
      return {
        id: run.id,
        job,
        token,
        run,
        settle: (settlement) =>
          settle(job, run.holder(), { ...options, settlement }).catch((error: Error) => error.name),
        async die() {
          await world.redis.del(keys.sendLock(run.id))
          // BullMQ gives a job back at its second look without a lock.
          for (let looks = 0; looks < 2; looks += 1) {
            await world.redis.del(`${keys.sendJobs}stalled-check`)
            await worker.getBackend().moveStalledJobsToWait()
          }
        },
      }
    },
    close: () => worker.close(true),
  }
}
