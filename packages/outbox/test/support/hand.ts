/** A worker moved by hand: a test fetches a message, takes the steps of its run one by one, and ends it between any two. */
import { Job } from 'bullmq'
import { takeOverStalled } from '../../src/bullmq/stalled.ts'
import type { Tells } from '../../src/callbacks/tells.ts'
import { SEND_QUEUE } from '../../src/redis/keys.ts'
import type { Store } from '../../src/redis/store.ts'
import { createRun, type OwnRun, type Settlement } from '../../src/worker/run.ts'
import { type Settled, Settler, type SettlerReport } from '../../src/worker/settler.ts'
import { APP, keys, openKeeper, type World } from './world.ts'

const LEASE_MS = 60_000

export interface Held {
  readonly id: string
  readonly job: Job
  readonly token: string
  readonly run: OwnRun
  /** Makes a settlement true, and fetches another message in the same step if that is asked for. */
  settle(settlement: Settlement, fetches?: boolean): Promise<Settled>
  /** The worker dies here: its lock lapses, and the message waits for the next one. */
  die(): Promise<void>
}

export interface Hand {
  readonly settler: Settler
  /** @throws when nothing waits */
  fetch(): Promise<Held>
  /** The message that a settlement has fetched. */
  next(held: Held, settled: Settled): Held
}

export interface HandOptions {
  /** Whether what is fetched may have its turn. By default every run asks for it. */
  readonly isReady?: () => boolean
  readonly store?: Store
  readonly keepsContent?: boolean
  /** What is told of outcomes; nothing unless given. */
  readonly tells?: Tells | undefined
  /** What its lock tokens begin with. */
  readonly name?: string
  readonly report?: SettlerReport
}

export function createHand(world: World, options: HandOptions = {}): Hand {
  const { isReady = () => false, store = world.store, name = 'hand', keepsContent, tells } = options
  const settler = settlerOn(store, isReady, options)
  let fetched = 0
  const begin = (token: string, settled: Settled): Held => {
    if (settled.fetched === undefined) throw new Error('nothing waits')
    const job = Job.fromJSON(world.send as never, settled.fetched.json, settled.fetched.id) as Job
    const at = { token, signal: new AbortController().signal }
    const run = createRun(job, at, {
      appid: APP,
      keys,
      store,
      leaseMs: LEASE_MS,
      keepsContent,
      tells,
      keeper: openKeeper,
      settler,
      report: SILENT,
    })
    return {
      id: run.id,
      job,
      token,
      run,
      settle: (settlement, fetches = false) => settler.settle({ ...run.ending(settlement).item, fetches } as never),
      async die() {
        await world.redis.del(keys.sendLock(run.id))
        await giveStalledBack(world)
      },
    }
  }
  return {
    settler,
    async fetch() {
      fetched += 1
      const token = `${name}:${fetched}`
      return begin(token, await settler.settle({ kind: 'fetch', id: '', token, fetches: true }))
    },
    next: ({ token }, settled) => begin(token, settled),
  }
}

export const SILENT = { unsettled: () => undefined, settledAgain: () => undefined, problem: () => undefined }

export function settlerOn(
  store: Store,
  isReady: () => boolean,
  { appid = APP, report = SILENT }: { appid?: string; report?: SettlerReport } = {},
): Settler {
  return new Settler({
    appid,
    store,
    lockMs: LEASE_MS,
    keepDelivered: { ms: 3_600_000, count: 100_000 },
    isReady,
    report,
  })
}

/**
 * BullMQ gives a job back at its second look without a lock; what keeps looks apart in time is put aside. Returns how many were
 * given back.
 */
export async function giveStalledBack(world: World, appid = APP): Promise<number> {
  const backend = world.store.backend(appid, SEND_QUEUE)
  let given = 0
  for (let looks = 0; looks < 2; looks += 1) {
    await world.redis.del(backend.toKey('stalled-check'))
    given += (await takeOverStalled(world.redis, backend, { everyMs: 1, rememberMs: 60_000 })).length
  }
  return given
}
