/**
 * The workers' end of the store: for one app, a BullMQ Worker that hands each message to `deliver` and makes true what
 * that decides; one that replays the dead letters somebody retried; and the mover and its sweep between the two.
 */
import { type Attempt, type DeadLetter, type Reason, reasonLine } from '@wechat-outbox/messages'
import {
  type BackendFactory,
  createRedisBackend,
  type Job,
  type RedisQueueBackend,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import { createHoldKeeper, type HoldKeeper, type HoldReport } from '../app-hold/keeper.ts'
import { ASLEEP_S, dozingBackend } from '../bullmq/idle-backend.ts'
import type { Doorbell } from '../bullmq/shared-wait.ts'
import { expireDeadLetters } from '../dead-letters/list.ts'
import { createMover, type Mover } from '../dead-letters/mover.ts'
import { replay } from '../dead-letters/replay.ts'
import { messageOf } from '../errors.ts'
import { expireMessages } from '../lanes/expire.ts'
import { healLanes } from '../lanes/heal.ts'
import type { Judge } from '../redis/judge.ts'
import { APPS_KEY, appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { createHandover, type Handover } from './handover.ts'
import { createRounds, type Rounds } from './queue-poll.ts'
import { createRun, PARK_MS, type Run, type Settlement, settle } from './run.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

export interface ConsumerOptions {
  readonly appid: string
  readonly store: Store
  /** On a connection of its own: the mover's transactions watch keys. */
  readonly judge: Judge
  /** The process's one, on which workers with nothing to do wait. Without it each waits on connections of its own. */
  readonly bell?: Doorbell | undefined
  /** Decides what becomes of one message. Must not throw; if it does, the message is tried again later. */
  readonly deliver: (run: Run) => Promise<Settlement>
  readonly explainFailure: (failedReason: string) => Reason
  /** The reason of a message that dies of its `expiresAt` while it waits, from the last attempt if there was one. */
  readonly explainExpiry: (last: Attempt | undefined) => Reason
  /** Whether a message that is fetched now can be sent at once: then it need not ask for its turn. */
  readonly isReady: () => boolean
  /** Asks the token endpoint now, for an app that is held for want of a token. Whether it gave one. */
  readonly probeToken: () => Promise<boolean>
  readonly report: ConsumerReport
  /** Messages in work at the same time. */
  readonly concurrency: number
  /** Calls started per second, over all workers of the app; no second, wherever it begins, has a tenth more. */
  readonly maxPerSecond?: number | undefined
  /** A message whose worker has died is taken over about this long afterwards. Every lock and lease lasts as long. */
  readonly stalledAfterMs: number
  readonly retain: { readonly deliveredMs: number; readonly deliveredMax: number; readonly deadMs: number }
  readonly rememberMs: number
  /** 0: no limit. */
  readonly replayPerSecond: number
}

/** What the consumer tells its process, to be logged and counted. */
export interface ConsumerReport extends HoldReport {
  readonly dead: (dead: { id: string; letter: DeadLetter }) => void
  readonly replayed: (replayed: { id: string; replayOf: string }) => void
  readonly expired: (count: number) => void
  readonly problem: (problem: { what: string; error: string; id?: string }) => void
  /** Work waits and none is fetched: the process should end, so that its supervisor starts another. */
  readonly stuck: () => void
}

export interface Consumer {
  run(): Promise<void>
  /**
   * Fetches nothing more and waits for what is in flight; after `timeoutMs` aborts the calls still open and waits for
   * their settlements, which are quick. Returns whether everything ended by itself.
   */
  close(timeoutMs: number): Promise<boolean>
}

const SWEEP_EVERY_MS = 30_000
/** Nothing dies of stalling: the `sending` mark tells whether a run can have sent anything, however often one died. */
const STALLED_COUNT_MAX = 1_000_000_000
/** What a run that threw waits before it is tried again: its fault is ours, and a loop would hide it in its own noise. */
const AFTER_BUG_MS = 30_000
const REPLAYS_AT_ONCE = 16
const NEVER = new AbortController().signal
const STUCK_AFTER_MS = 30_000
/** How often a consumer looks at its queues beside waiting for them, at least. */
const ROUND_MS_MAX = 5000

export function createConsumer(options: ConsumerOptions): Consumer {
  const { report } = options
  const mover = createMover({
    appid: options.appid,
    judge: options.judge,
    explain: options.explainFailure,
    explainExpiry: options.explainExpiry,
    onDead: report.dead,
    onOccupied: (id) => report.problem({ what: 'a dead letter of that id is another message’s', error: '', id }),
  })
  const [sendWatchdog, deadWatchdog] = ([SEND_QUEUE, DEAD_LETTER_QUEUE] as const).map((queue) =>
    createWatchdog({ idleMs: STUCK_AFTER_MS, onStuck: report.stuck, hasWork: () => rounds.sawWork(queue) }),
  ) as [Watchdog, Watchdog]
  const { appid, store, probeToken } = options
  const keeper = createHoldKeeper({ appid, store, report, probeToken })
  const send = createSendWorker(options, { mover, keeper, watchdog: sendWatchdog })
  const dead = createReplayWorker(options, deadWatchdog)
  const rounds = makeRounds(options, send, dead)
  for (const worker of [send, dead]) {
    worker.on('error', (error) => report.problem({ what: 'worker', error: messageOf(error) }))
  }
  const sweeper = createSweeper(options, { mover, keeper })
  return {
    async run() {
      await options.store.redis.sadd(APPS_KEY, options.appid)
      await Promise.all([send.waitUntilReady(), dead.waitUntilReady()])
      for (const worker of [send, dead]) {
        void worker.run().catch((error: unknown) => report.problem({ what: 'worker', error: messageOf(error) }))
      }
      sweeper.start()
      rounds.start()
    },
    async close(timeoutMs) {
      sweeper.stop()
      rounds.stop()
      keeper.stop()
      sendWatchdog.stop()
      deadWatchdog.stop()
      const closed = Promise.all([send.close(), dead.close(), sweeper.idle()])
      const timer = setTimeout(() => send.cancelAllJobs('shutdown'), timeoutMs)
      const started = performance.now()
      await closed
      clearTimeout(timer)
      return performance.now() - started < timeoutMs
    },
  }
}

function workerOptions(options: ConsumerOptions): WorkerOptions {
  return {
    connection: options.store.redis,
    prefix: appPrefix(options.appid),
    autorun: false,
    lockDuration: options.stalledAfterMs,
    stalledInterval: stalledIntervalMs(options),
    maxStalledCount: STALLED_COUNT_MAX,
    // The rounds look for stalled jobs, while there are any that could be.
    skipStalledCheck: true,
    ...(options.bell === undefined ? {} : { drainDelay: ASLEEP_S }),
  }
}

function stalledIntervalMs({ stalledAfterMs }: ConsumerOptions): number {
  return Math.max(500, Math.floor(stalledAfterMs / 5))
}

/** How a Worker waits for work: at the process's doorbell, or, where there is none, as BullMQ does it. */
function backendFor({ bell, store }: ConsumerOptions): BackendFactory<RedisQueueBackend> {
  if (bell === undefined) return createRedisBackend
  return (queue, opts) => dozingBackend(store, { bell, queue, opts: opts as WorkerOptions })
}

function makeRounds(options: ConsumerOptions, send: Worker, dead: Worker): Rounds {
  const { appid, store, bell, stalledAfterMs, report } = options
  return createRounds({
    appid,
    store,
    bell,
    backends: { [SEND_QUEUE]: send.getBackend(), [DEAD_LETTER_QUEUE]: dead.getBackend() },
    // Half of what a lock lasts: a job whose worker has died is seen before its lock has ended.
    everyMs: Math.min(ROUND_MS_MAX, stalledAfterMs / 2),
    stalledIntervalMs: stalledIntervalMs(options),
    onError: (error) => report.problem({ what: 'a look at the queues', error: messageOf(error) }),
  })
}

interface Parts {
  readonly mover: Mover
  readonly keeper: HoldKeeper
  readonly watchdog: Watchdog
}

function createSendWorker(options: ConsumerOptions, { mover, keeper, watchdog }: Parts): Worker {
  const { appid, store, retain, report, maxPerSecond, isReady } = options
  const handover = createHandover({
    appid,
    store,
    parkMs: PARK_MS,
    // A turn that has to keep to a rate is a wait, which is asked for.
    isReady: () => maxPerSecond === undefined && isReady(),
  })
  // BullMQ makes an abort signal only for a processor that declares three parameters, none of them with a default.
  const processor = (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<unknown> =>
    watchdog.watching(runJob(job, { token: token ?? '', signal: signal ?? NEVER }, { ...options, keeper, handover }))
  const opts = {
    ...workerOptions(options),
    concurrency: options.concurrency,
    removeOnComplete: { age: Math.floor(retain.deliveredMs / 1000), count: retain.deliveredMax },
    // Admission keeps the rate. Fetching keeps it too, roughly, so that what cannot be sent yet stays in the queue.
    ...(maxPerSecond === undefined ? {} : { limiter: { max: maxPerSecond, duration: 1000 } }),
  }
  const makeBackend = backendFor(options)
  const worker = new Worker(SEND_QUEUE, processor, opts, (...made) => handover.aboard(makeBackend(...made)))
  worker.on('failed', (job) => {
    // The event comes for every attempt that failed; only the last one has ended the job.
    if (job?.id === undefined || job.finishedOn === undefined) return
    const { id } = job
    mover
      .move(id)
      .catch((error: unknown) => report.problem({ what: 'moving a dead letter', error: messageOf(error), id }))
  })
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) worker.cancelJob(id, 'the lock is lost')
  })
  return worker
}

async function runJob(
  job: Job,
  at: { token: string; signal: AbortSignal },
  options: ConsumerOptions & Pick<Parts, 'keeper'> & { handover: Handover },
): Promise<unknown> {
  const { appid, store, stalledAfterMs: leaseMs, maxPerSecond, keeper, handover } = options
  const runOptions = { appid, store, leaseMs, maxPerSecond, keeper, handover }
  const run = createRun(job, at, runOptions)
  const settlement = await options.deliver(run).catch((error: unknown): Settlement => {
    options.report.problem({ what: 'a run failed', error: messageOf(error), id: run.id })
    return { kind: 'later', delayMs: AFTER_BUG_MS, counts: false, attempts: [] }
  })
  await run.end()
  // Late, because the lock is lost or the time to shut down is over: BullMQ may not come to complete the job.
  return settle(job, run.holder(), { appid, store, settlement, ...(at.signal.aborted ? {} : { handover }) })
}

function createReplayWorker(options: ConsumerOptions, watchdog: Watchdog): Worker {
  const { appid, store, rememberMs, report, replayPerSecond } = options
  const replayJob = async (job: Job): Promise<void> => {
    const id = String(job.id)
    const letter = job.data as DeadLetter
    const replayed = await replay(id, letter, { store, appid, rememberMs }).catch((error: unknown) => {
      report.problem({ what: 'replaying a dead letter', error: messageOf(error), id })
      throw stillDead(letter)
    })
    if (replayed.kind === 'unreadable') throw stillDead(letter)
    if (replayed.kind === 'replayed' && !replayed.repeated) report.replayed({ id: replayed.id, replayOf: id })
  }
  const processor = (job: Job): Promise<void> => watchdog.watching(replayJob(job))
  const opts = {
    ...workerOptions(options),
    concurrency: REPLAYS_AT_ONCE,
    removeOnComplete: { count: 0 },
    ...(replayPerSecond > 0 ? { limiter: { max: replayPerSecond, duration: 1000 } } : {}),
  }
  return new Worker(DEAD_LETTER_QUEUE, processor, opts, backendFor(options))
}

/** Fails the job again with the reason it had, so that it stands in the dashboard as before. */
function stillDead(letter: DeadLetter): UnrecoverableError {
  const error = new UnrecoverableError(reasonLine(letter.reason))
  error.stack = ''
  return error
}

/** What a crash left undone, and what has grown too old: at start and every 30 seconds, one sweep at a time. */
function createSweeper(options: ConsumerOptions, { mover, keeper }: Omit<Parts, 'watchdog'>) {
  const { appid, store, judge, retain, report } = options
  let timer: NodeJS.Timeout | undefined
  let current: Promise<void> = Promise.resolve()
  let stopped = false
  const sweep = async (): Promise<void> => {
    try {
      await keeper.look()
      await mover.sweep(store)
      await expireMessages(mover, { store, appid })
      await healLanes(store, appid)
      const expired = await expireDeadLetters(store, judge, { appid, before: Date.now() - retain.deadMs })
      if (expired > 0) report.expired(expired)
    } catch (error) {
      report.problem({ what: 'the sweep', error: messageOf(error) })
    }
    if (!stopped) timer = setTimeout(next, SWEEP_EVERY_MS)
  }
  const next = (): void => {
    current = sweep()
  }
  return {
    start: next,
    stop(): void {
      stopped = true
      clearTimeout(timer)
    },
    idle: (): Promise<void> => current,
  }
}
