/**
 * A look at the queues finds what no marker has announced. Every few seconds each consumer looks at its two queues, in one script, and
 * makes up for what may have been missed: a marker that was lost with a connection or taken by a process that has died, a
 * job that a dead worker holds. While runs hold jobs, a look for stalled ones follows, as often as BullMQ makes it; an app that has none costs
 * one script alone.
 */
import type { RedisQueueBackend } from 'bullmq'
import type { SharedWait } from '../bullmq/shared-wait.ts'
import { takeOverStalled } from '../bullmq/stalled.ts'
import { OutboxError } from '../errors.ts'
import { appKeys, DEAD_LETTER_QUEUE, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { within } from '../within.ts'
import { type Contact, createContact } from './contact.ts'

/** Whoever carries out a task notes so several times a second. */
const TASK_STILL_MS = 2000

type QueueName = typeof SEND_QUEUE | typeof DEAD_LETTER_QUEUE

/** Longer than that, and it has shown nothing. Well under the time after which a worker that fetches nothing is ended. */
const POLL_MS_MAX = 10_000
/** The clock of this machine and Redis's drift apart slowly. */
const MEASURE_EVERY_MS = 60_000

export interface QueuePollOptions {
  readonly appid: string
  readonly store: Store
  /** Undefined where workers wait on connections of their own. */
  readonly sharedWait: SharedWait | undefined
  /** Half a lease at most. So long without a break the worker has been in touch with Redis before it takes anything over. */
  readonly everyMs: number
  /** From one measure of Redis's clock to the next. Default a minute. */
  readonly measureEveryMs?: number | undefined
  /** Between two looks for stalled jobs: a fifth of a lease. */
  readonly stalledIntervalMs: number
  /** False while this worker's own settlements are refused: what it would take over they may be about. */
  readonly mayTakeOver: () => boolean
  readonly onError: (error: unknown) => void
}

export interface QueuePoll {
  start(): void
  stop(): void
  /** Whether the last look saw something in this queue that may be fetched. A Redis that is away shows nothing. */
  sawWork(queue: QueueName): boolean
}

export function createQueuePoll(options: QueuePollOptions): QueuePoll {
  const { sharedWait, store, everyMs, measureEveryMs = MEASURE_EVERY_MS, onError } = options
  const contact = createContact(everyMs)
  const queues = ([SEND_QUEUE, DEAD_LETTER_QUEUE] as const).map((name) => {
    const backend = store.backend(options.appid, name)
    const keys = ['meta', 'limiter', 'wait', 'delayed', 'active'].map((key) => backend.toKey(key))
    return { name, keys, marker: backend.toKey('marker'), watch: watchStalled(backend, contact, options) }
  })
  const { replaysDue, tasksOpen } = appKeys(options.appid)
  const keys = [...queues.flatMap((queue) => queue.keys), replaysDue, tasksOpen]
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let works: ReadonlySet<QueueName> = new Set()
  let measuredAt = performance.now()

  async function poll(): Promise<void> {
    const call = { name: 'queue-poll', keys, args: [TASK_STILL_MS] } as const
    const askedAt = performance.now()
    const seen = await inTime(runScript<[number, string, number][]>(store.redis, call))
    contact.answered(askedAt)
    const now = store.clock.now()
    const working = new Set<QueueName>()
    for (const [at, queue] of queues.entries()) {
      const [waits = 0, due = '-1', active = 0] = seen[at] ?? []
      if (stopped) return
      if (waits === 1) sharedWait?.notify(queue.marker)
      else if (Number(due) >= 0) sharedWait?.notify(queue.marker, store.clock.toLocal(Number(due)))
      // A delayed job becomes one that waits only when somebody fetches; until then being due is all that it can do.
      if (waits === 1 || (Number(due) >= 0 && Number(due) <= now)) working.add(queue.name)
      queue.watch.see(active)
    }
    works = working
    if (performance.now() - measuredAt < measureEveryMs) return
    measuredAt = performance.now()
    await inTime(store.clock.measure())
  }

  const next = async (): Promise<void> => {
    // While Redis is away, nothing that would be asked later is put in a queue.
    if (store.redis.status !== 'ready') works = new Set()
    else
      await poll().catch((error: unknown) => {
        works = new Set()
        onError(error)
      })
    if (!stopped) timer = setTimeout(() => void next(), everyMs)
  }
  return {
    // The apps of a process do not all look at the same moment.
    start() {
      // Whoever starts it has just asked Redis.
      contact.answered(performance.now())
      if (!stopped) timer = setTimeout(() => void next(), Math.random() * everyMs)
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      for (const { watch } of queues) watch.see(0)
    },
    sawWork: (queue) => works.has(queue),
  }
}

async function inTime<T>(asked: Promise<T>): Promise<T> {
  const answered = await within(
    asked.then((value) => ({ value })),
    POLL_MS_MAX,
    undefined,
  )
  if (answered === undefined) throw new OutboxError('WXO_UNAVAILABLE', 'Redis does not answer')
  return answered.value
}

/** Looks that follow each other remember what they found; one that fails to come once may have come too early. */
const REMEMBERED_LOOKS = 2

/**
 * Two looks make a stalled job: it is over the lock's end by less than one interval. While Redis refuses writes or is away no lock is
 * renewed, and the answers of WeChat wait in their workers to be recorded. So after that the looks begin anew, once this worker has been in
 * touch for a while: every live worker has recorded what it knows before any message is taken over.
 */
function watchStalled(
  backend: RedisQueueBackend,
  contact: Contact,
  { stalledIntervalMs, mayTakeOver, store, onError }: QueuePollOptions,
) {
  let timer: NodeJS.Timeout | undefined
  let looking = false
  const look = async (): Promise<void> => {
    if (looking || !mayTakeOver() || !contact.isFirm()) return
    looking = true
    const askedAt = performance.now()
    try {
      await takeOverStalled(store.redis, backend, {
        everyMs: stalledIntervalMs,
        rememberMs: REMEMBERED_LOOKS * stalledIntervalMs,
      })
      contact.answered(askedAt)
    } catch (error) {
      onError(error)
    }
    looking = false
  }
  return {
    see(active: number): void {
      if (active === 0) {
        clearInterval(timer)
        timer = undefined
      } else if (timer === undefined) {
        timer = setInterval(() => void look(), stalledIntervalMs)
        void look()
      }
    },
  }
}
