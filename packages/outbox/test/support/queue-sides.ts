/**
 * The same queue twice in one Redis: on one side each step is made by BullMQ's own methods, on the other by our scripts, through
 * the backend that our Worker uses. One person per message: lanes, which BullMQ does not know, then change nothing.
 */
import type { Attempt, JobData } from '@wechat-outbox/messages'
import { Job, type JobJson, Queue, QueueKeys, RedisQueueBackend } from 'bullmq'
import { Ended, OutboxBackend } from '../../src/bullmq/backend.ts'
import { appendHistory, readHistory } from '../../src/bullmq/job-hash.ts'
import { takeOverStalled } from '../../src/bullmq/stalled.ts'
import { type AppKeys, appKeys, appPrefix, SEND_QUEUE, storeKeys } from '../../src/redis/keys.ts'
import { runScript } from '../../src/redis/scripts.ts'
import type { Store } from '../../src/redis/store.ts'
import { createRun, type Settlement } from '../../src/worker/run.ts'
import { Settler } from '../../src/worker/settler.ts'
import { openKeeper } from './world.ts'

const LOCK_MS = 600_000

export interface NewJob {
  readonly id: string
  readonly delayMs: number
}

export interface Ending {
  readonly run: Held
  /** The next job is fetched in the same step. */
  readonly fetches: boolean
}

export interface Delay extends Ending {
  readonly delayMs: number
  readonly counts: boolean
  readonly attempts: readonly Attempt[]
}

export interface Held {
  readonly job: Job
  readonly token: string
}

/** What a fetch gives: a job, how long the queue's rate lasts, when the next delayed job is due. */
export interface Got {
  readonly json: JobJson | undefined
  readonly limitMs: number
  readonly dueAt: number
}

export interface Side {
  readonly appid: string
  readonly keys: AppKeys
  readonly queue: Queue
  readonly held: Held[]
  /** What only BullMQ's own method can fetch does not come with a settlement, but with the Worker's next fetch. */
  readonly mayFetchLater: boolean
  add(jobs: readonly NewJob[]): Promise<void>
  /** So many at once. */
  fetch(tokens: readonly string[]): Promise<Got[]>
  complete(ending: Ending): Promise<Got | undefined>
  delay(delay: Delay): Promise<Got | undefined>
  lookForStalled(): Promise<string[]>
  close(): Promise<void>
}

export interface SideOptions {
  readonly store: Store
  readonly appid: string
  readonly keep: { readonly age: number; readonly count: number }
  /** Whether what our scripts fetch may have its turn. */
  readonly isReady: boolean
}

export const dataOf = (id: string): JobData =>
  ({ v: 1, touser: `person-${id}`, msgtype: 'text', text: { content: 'hello' } }) as JobData

const ATTEMPTS: readonly Attempt[] = [{ at: 1_800_000_000_000, outcome: 'delivered', ms: 1, errcode: 0, errmsg: 'ok' }]

function read(moved: readonly unknown[] | undefined): Got {
  const [json, id, limitMs = 0, dueAt = 0] = (moved ?? []) as [JobJson | undefined, string, number?, number?]
  return { json: json ? { ...json, id } : undefined, limitMs: Number(limitMs), dueAt: Math.floor(Number(dueAt)) }
}

function open({ store, appid }: SideOptions) {
  const prefix = appPrefix(appid)
  const names = new QueueKeys(prefix)
  const opts = { connection: store.redis, prefix, lockDuration: LOCK_MS }
  const parts = [
    store.bullmqConnection,
    SEND_QUEUE,
    names.getKeys(SEND_QUEUE),
    (type: string) => names.toKey(SEND_QUEUE, type),
    opts,
    undefined,
    false,
  ] as const
  const queue = new Queue(SEND_QUEUE, { connection: store.redis, prefix, skipMetasUpdate: true })
  queue.on('error', () => undefined)
  return { parts, queue, keys: appKeys(appid), held: [] as Held[] }
}

/** Every step as BullMQ makes it. */
export function bullmqSide(options: SideOptions): Side {
  const { parts, queue, keys, held } = open(options)
  const backend = new RedisQueueBackend(...parts)
  const { keep } = options
  return {
    appid: options.appid,
    keys,
    queue,
    held,
    mayFetchLater: false,
    async add(jobs) {
      await queue.addBulk(
        jobs.map(({ id, delayMs }) => ({
          name: 'text',
          data: dataOf(id),
          opts: { jobId: id, ...(delayMs > 0 ? { delay: delayMs } : {}) },
        })),
      )
    },
    async fetch(tokens) {
      const got: Got[] = []
      for (const token of tokens) got.push(read(await backend.moveToActive(token)))
      return got
    },
    async complete({ run: { job, token }, fetches }) {
      const own = job.opts.removeOnComplete
      const moved = await backend.moveToCompleted(
        job as never,
        { attempts: ATTEMPTS },
        (own ?? keep) as never,
        token,
        fetches,
      )
      return fetches ? read(moved.result as never) : undefined
    },
    async delay({ run: { job, token }, fetches, delayMs, counts, attempts }) {
      const stacktrace = appendHistory(readHistory(job.stacktrace), { attempts })
      const moved = await backend.moveToDelayed(String(job.id), Date.now(), delayMs, token, {
        skipAttempt: !counts,
        ...(attempts.length === 0 ? {} : { fieldsToUpdate: { stacktrace } }),
        fetchNext: fetches,
      })
      return fetches ? read(moved as never) : undefined
    },
    lookForStalled: () => takeOverStalled(options.store.redis, backend, { everyMs: 1, rememberMs: 60_000 }),
    close: () => queue.close(),
  }
}

/** Every step as the outbox makes it. */
export function outboxSide(options: SideOptions): Side {
  const { store, appid, keep, isReady } = options
  const { parts, queue, keys, held } = open(options)
  const settler = new Settler({
    appid,
    store,
    lockMs: LOCK_MS,
    keepDelivered: { ms: keep.age * 1000, count: keep.count },
    isReady: () => isReady,
    report,
  })
  const backend = new OutboxBackend(...parts).serve({ store, settler, hasRate: false })
  const end = async ({ run: { job, token }, fetches }: Ending, settlement: Settlement): Promise<Got | undefined> => {
    const at = { token, signal: new AbortController().signal }
    const run = createRun(job, at, { appid, keys, store, leaseMs: LOCK_MS, keeper: openKeeper, settler, report })
    const { item } = run.ending(settlement)
    const returned = 'attempts' in settlement ? { attempts: settlement.attempts } : undefined
    const ended = new Ended(item, () => undefined, returned)
    const own = job.opts.removeOnComplete
    const moved = await backend.moveToCompleted(job as never, ended as never, (own ?? keep) as never, token, fetches)
    return fetches ? read(moved.result as never) : undefined
  }
  return {
    appid,
    keys,
    queue,
    held,
    mayFetchLater: true,
    async add(jobs) {
      const now = await store.redis.time()
      const nowMs = Number(now[0]) * 1000 + Math.floor(Number(now[1]) / 1000)
      const args = jobs.flatMap(({ id, delayMs }) => {
        const data = dataOf(id)
        return [
          '0',
          id,
          'text',
          data.touser,
          JSON.stringify(data),
          delayMs > 0 ? nowMs + delayMs : '',
          ...Array.from({ length: 6 }, () => ''),
        ]
      })
      const call = {
        name: 'send',
        keys: [...storeKeys(keys), keys.sendCompleted],
        args: [keys.sendJobs, keys.lanes, keys.idempotency, keys.windowsOf, keys.collapse, ...args],
      } as const
      await runScript(store.redis, call)
    },
    fetch: (tokens) => Promise.all(tokens.map(async (token) => read(await backend.moveToActive(token)))),
    complete: (ending) => end(ending, { kind: 'delivered', attempts: ATTEMPTS }),
    delay: ({ delayMs, counts, attempts, ...ending }) => end(ending, { kind: 'snooze', delayMs, counts, attempts }),
    lookForStalled: () => takeOverStalled(store.redis, backend, { everyMs: 1, rememberMs: 60_000 }),
    close: () => queue.close(),
  }
}

/** Nothing is refused in these tests. */
const report = {
  unsettled({ error }: { readonly error: string }): void {
    throw new Error(`a settlement was refused: ${error}`)
  },
  settledAgain: () => undefined,
  problem({ what, error }: { readonly what: string; readonly error: string }): void {
    throw new Error(`${what}: ${error}`)
  },
}

/** The run that a fetched job has. */
export function hold(side: Side, got: Got | undefined, token: string): void {
  if (got?.json === undefined) return
  side.held.push({ job: Job.fromJSON(side.queue as never, got.json) as Job, token })
}
