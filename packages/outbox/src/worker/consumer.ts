/**
 * The workers' end of the outbox: for one app, a BullMQ Worker that hands each message to `deliver` and whose results the settler
 * records; the replayer of dead letters that somebody has retried; the queue poll and the sweep beside them.
 */
import type { Attempt, DeadLetter, Reason, WindowDisagreement } from '@wechat-outbox/messages'
import { type Job, Worker, type WorkerOptions } from 'bullmq'
import { createHoldKeeper, type HoldKeeper, type HoldReport } from '../app-hold/keeper.ts'
import type { Ended } from '../bullmq/backend.ts'
import { IDLE_S, openBackend } from '../bullmq/idle-backend.ts'
import type { SharedWait } from '../bullmq/shared-wait.ts'
import { STALLED_COUNT_MAX } from '../bullmq/stalled.ts'
import { createDeliverer, type DelivererOptions, type Receiver } from '../callbacks/deliverer.ts'
import { type Burier, createBurier, type ExpiryOf } from '../dead-letters/bury.ts'
import type { Retain } from '../erase/strip.ts'
import { messageOf } from '../errors.ts'
import { appKeys, appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import type { Task } from '../tasks/task.ts'
import type { ClosedRule } from '../windows/ledger.ts'
import { createPresence } from './presence.ts'
import { createQueuePoll, type QueuePoll } from './queue-poll.ts'
import { createReplayer } from './replayer.ts'
import type { Run, Settlement } from './run.ts'
import { runJob } from './run-job.ts'
import { createRunSlots } from './run-slots.ts'
import { Settler, type SettlerReport, type Trouble } from './settler.ts'
import { createSweeper } from './sweep.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

export interface ConsumerOptions {
  readonly appid: string
  readonly store: Store
  /** The process's one, in which queues with nothing to do wait. Without it each waits on a connection of its own. */
  readonly sharedWait?: SharedWait | undefined
  /** Decides what becomes of one message. Must not throw; if it does, the message is tried again later. */
  readonly deliver: (run: Run) => Promise<Settlement>
  /** Told of each run that `deliver` got, when it is over; `isRecorded`: Redis has what it came to, from this run. */
  readonly onSettled?: ((run: Run, settlement: Settlement, isRecorded: boolean) => void) | undefined
  /** The reason of a message whose job another program has failed; `wasOpen`: while a call of it may have been open. */
  readonly explainFailure: (failedReason: string, wasOpen: boolean) => Reason
  /** The reason of a message that dies while it waits, from the last attempt if there was one. */
  readonly explainExpiry: (last: Attempt | undefined, of: ExpiryOf) => Reason
  /** Whether a message that is fetched now can be sent at once: then it need not ask for its turn. */
  readonly isReady: () => boolean
  /** Asks the token endpoint now, for an app that is held for want of a token. Whether it gave one. */
  readonly probeToken: () => Promise<boolean>
  readonly report: ConsumerReport
  /** Who is told of outcomes; nobody unless given. */
  readonly receiver?: Receiver | undefined
  /** For tests. */
  readonly callbackPauses?: DelivererOptions['callbackPauses']
  /** Messages in work at the same time. */
  readonly concurrency: number
  /** Calls started per second, over all workers of the app; no second, wherever it begins, has a tenth more. */
  readonly maxPerSecond?: number | undefined
  /** A message whose worker has died is taken over about this long afterwards. Every lock and lease lasts as long. */
  readonly stalledAfterMs: number
  readonly retain: Retain
  readonly rememberMs: number
  readonly closedRule?: ClosedRule | undefined
  /** 0: no limit. */
  readonly replayPerSecond: number
  /** From one sweep to the next, and from one registration of the app to the next. Default 30 s, and more would not keep what is promised within a minute. */
  readonly sweepEveryMs?: number | undefined
  /** So long work may wait and none be fetched. Default 30 s. */
  readonly stuckAfterMs?: number | undefined
}

/** What the consumer reports to its process, to be logged and counted. */
export interface ConsumerReport extends HoldReport, SettlerReport {
  readonly dead: (dead: { id: string; letter: DeadLetter }) => void
  readonly replayed: (replayed: { id: string; replayOf: string }) => void
  readonly task: (task: Task, event: 'started' | 'ended') => void
  /** WeChat's answer was not what a person's reply window had led to expect. */
  readonly windowDisagreed: (kind: WindowDisagreement) => void
  readonly expired: (count: number) => void
  readonly problem: (problem: { what: string; error: string; id?: string }) => void
  /** Work waits and none is fetched: the process should end, so that its supervisor starts another. */
  readonly stuck: () => void
}

export interface Consumer {
  /** Resolves when it fetches and the app is registered. @throws what Redis answers to a new connection; it can only be closed then */
  run(): Promise<void>
  /** What Redis refuses to record at present; undefined while all is well. */
  trouble(): Trouble | undefined
  /**
   * Fetches nothing more and waits for what is in flight; after `timeoutMs`, or when `cut` is aborted before, aborts the
   * calls still open, and two seconds later gives up what Redis has not recorded. Returns whether everything ended by itself.
   */
  close(timeoutMs: number, cut?: AbortSignal): Promise<boolean>
}

const NEVER = new AbortController().signal
const STUCK_AFTER_MS = 30_000
/** What an aborted call's settlement may take. */
const LAST_SETTLEMENTS_MS = 2000
/** How often a consumer looks at its queues beside waiting for them, at least. */
const POLL_MS_MAX = 5000

export function createConsumer(options: ConsumerOptions): Consumer {
  const { appid, store, report, probeToken, receiver, sharedWait } = options
  const burier = burierFor(options)
  const watched = { idleMs: options.stuckAfterMs ?? STUCK_AFTER_MS, onStuck: report.stuck }
  const [sendWatchdog, deadWatchdog] = ([SEND_QUEUE, DEAD_LETTER_QUEUE] as const).map((queue) =>
    createWatchdog({ ...watched, hasWork: () => settler.trouble() === undefined && poll.sawWork(queue) }),
  ) as [Watchdog, Watchdog]
  const keeper = createHoldKeeper({ appid, store, report, probeToken, tells: receiver?.tells })
  const settler = settlerFor(options)
  const worker = createSendWorker(options, { settler, keeper, watchdog: sendWatchdog })
  const replayer = createReplayer({
    ...options,
    sharedWait,
    perSecond: options.replayPerSecond,
    watchdog: deadWatchdog,
    onReplayed: report.replayed,
    onTask: report.task,
    onProblem: report.problem,
  })
  const poll = queuePollFor(options, settler)
  const sweeper = createSweeper(options, { burier, keeper })
  const deliverer = receiver && createDeliverer({ ...options, receiver, sharedWait, onProblem: report.problem })
  const presence = createPresence({ ...options, sayEveryMs: options.sweepEveryMs })
  const problem = (what: string) => (error: unknown) => report.problem({ what, error: messageOf(error) })
  return {
    async run() {
      await presence.start()
      await Promise.all([worker.waitUntilReady(), store.clock.measure().catch(problem('measuring the clock'))])
      void worker.run().catch(problem('worker'))
      replayer.run()
      deliverer?.run()
      poll.start()
      sweeper.start()
    },
    trouble: () => settler.trouble(),
    async close(timeoutMs, cut = NEVER) {
      presence.stop()
      sweeper.stop()
      poll.stop()
      keeper.stop()
      sendWatchdog.stop()
      deadWatchdog.stop()
      const settled = settler.close()
      const late = new AbortController()
      const told = deliverer?.close(late.signal)
      const closed = Promise.all([worker.close(), replayer.close(), sweeper.idle(), settled, told])
      let abandon: NodeJS.Timeout | undefined
      const abort = (): void => {
        if (abandon !== undefined) return
        worker.cancelAllJobs('shutdown')
        late.abort()
        abandon = setTimeout(() => settler.abandon(), LAST_SETTLEMENTS_MS)
      }
      const timer = setTimeout(abort, timeoutMs)
      cut.addEventListener('abort', abort)
      if (cut.aborted) abort()
      await closed
      cut.removeEventListener('abort', abort)
      clearTimeout(timer)
      clearTimeout(abandon)
      return abandon === undefined
    },
  }
}

function workerOptions({ store, appid, stalledAfterMs, sharedWait }: ConsumerOptions): WorkerOptions {
  return {
    connection: store.redis,
    prefix: appPrefix(appid),
    autorun: false,
    lockDuration: stalledAfterMs,
    maxStalledCount: STALLED_COUNT_MAX,
    // The queue poll looks for stalled jobs, while there are any that could be.
    skipStalledCheck: true,
    ...(sharedWait === undefined ? {} : { drainDelay: IDLE_S }),
  }
}

function burierFor(options: ConsumerOptions): Burier {
  const { appid, store, report } = options
  return createBurier({
    appid,
    store,
    explain: options.explainFailure,
    explainExpiry: options.explainExpiry,
    holdMaxMs: options.closedRule?.holdMaxMs,
    tells: options.receiver?.tells,
    onDead: report.dead,
    onOccupied: (id) => report.problem({ what: 'a dead letter of that id is another message’s', error: '', id }),
  })
}

function settlerFor(options: ConsumerOptions): Settler {
  const { appid, store, stalledAfterMs, retain, maxPerSecond, isReady, report, closedRule } = options
  return new Settler({
    appid,
    store,
    report,
    lockMs: stalledAfterMs,
    keepDelivered: { ms: retain.deliveredMs, count: retain.deliveredMax },
    closedRule,
    // A turn that has to keep to a rate is a wait, which is asked for.
    isReady: () => maxPerSecond === undefined && isReady(),
  })
}

function queuePollFor(
  { appid, store, sharedWait, stalledAfterMs, report }: ConsumerOptions,
  settler: Settler,
): QueuePoll {
  return createQueuePoll({
    appid,
    store,
    sharedWait,
    // Half of what a lock lasts: a job whose worker has died is seen before its lock has ended.
    everyMs: Math.min(POLL_MS_MAX, stalledAfterMs / 2),
    stalledIntervalMs: Math.max(500, Math.floor(stalledAfterMs / 5)),
    mayTakeOver: () => !isNew(settler.trouble(), REFUSED_LEASES_MAX * stalledAfterMs),
    onError: (error) => report.problem({ what: 'a look at the queues', error: messageOf(error) }),
  })
}

/** Refused for longer than that it is refused by itself, and the messages of workers that died must not wait for it. */
const REFUSED_LEASES_MAX = 3

function isNew(trouble: Trouble | undefined, ms: number): boolean {
  return trouble !== undefined && performance.now() - trouble.sinceMs < ms
}

interface Parts {
  readonly settler: Settler
  readonly keeper: HoldKeeper
  readonly watchdog: Watchdog
}

function createSendWorker(options: ConsumerOptions, parts: Parts): Worker {
  const { store, sharedWait, maxPerSecond, report } = options
  const { settler, watchdog } = parts
  // BullMQ makes an abort signal only for a processor that declares three parameters, none of them with a default.
  const processor = (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<Ended> =>
    watchdog.watching(runJob(job, { token: token ?? '', signal: signal ?? NEVER }, shared))
  const slots = createRunSlots(options.concurrency, (runsMax) => (worker.concurrency = runsMax))
  const shared = { ...options, ...parts, keys: appKeys(options.appid), slots }
  const opts = {
    ...workerOptions(options),
    concurrency: options.concurrency,
    // Admission keeps the rate. Fetching keeps it too, roughly, so that what cannot be sent yet stays in the queue.
    ...(maxPerSecond === undefined ? {} : { limiter: { max: maxPerSecond, duration: 1000 } }),
  }
  const worker = new Worker(SEND_QUEUE, processor, opts, (queue, made) =>
    openBackend(
      { queue, opts: made as WorkerOptions, sharedWait },
      { store, settler, hasRate: maxPerSecond !== undefined },
    ),
  )
  worker.on('error', (error) => report.problem({ what: 'worker', error: messageOf(error) }))
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) worker.cancelJob(id, 'the lock is lost')
  })
  return worker
}
