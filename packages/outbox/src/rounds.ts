/**
 * What no marker tells, a look at the queues does. Every few seconds each consumer glances at its two queues, in one
 * script, and makes up for what may have been missed: a marker that was lost with a connection or taken by a process that
 * has died, a job that a dead worker holds. While jobs are held they are looked after at BullMQ's own pace; an app that has
 * none costs the glance alone.
 */
import type { IQueueBackend } from 'bullmq'
import type { Doorbell } from './doorbell.ts'
import { DEAD_LETTER_QUEUE, SEND_QUEUE } from './keys.ts'
import { runScript } from './scripts.ts'
import type { Store } from './store.ts'

export interface RoundsOptions {
  readonly appid: string
  readonly store: Store
  /** Undefined where workers wait on connections of their own. */
  readonly bell: Doorbell | undefined
  /** Whose jobs are taken over when their worker has died. */
  readonly backends: Readonly<Record<typeof SEND_QUEUE | typeof DEAD_LETTER_QUEUE, IQueueBackend>>
  readonly everyMs: number
  /** Between two looks at jobs that somebody holds. */
  readonly stalledIntervalMs: number
  readonly onError: (error: unknown) => void
}

export interface Rounds {
  start(): void
  stop(): void
  /** Whether the last glance saw messages that may be fetched. */
  sawWork(): boolean
}

export function createRounds(options: RoundsOptions): Rounds {
  const { bell, store, everyMs, onError } = options
  const queues = [SEND_QUEUE, DEAD_LETTER_QUEUE].map((name) => {
    const backend = options.backends[name as typeof SEND_QUEUE]
    const keys = ['meta', 'limiter', 'wait', 'delayed', 'active'].map((key) => backend.toKey(key))
    return { keys, marker: backend.toKey('marker'), watch: watchStalled(backend, options) }
  })
  const keys = queues.flatMap((queue) => queue.keys)
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let works = false

  async function glance(): Promise<void> {
    const seen = await runScript<[number, string, number][]>(store.redis, { name: 'glance', keys, args: [] })
    for (const [at, queue] of queues.entries()) {
      const [waits = 0, due = '-1', active = 0] = seen[at] ?? []
      if (stopped) return
      if (waits === 1) bell?.ring(queue.marker)
      else if (Number(due) >= 0) bell?.ring(queue.marker, Number(due))
      queue.watch.see(active)
    }
    works = seen[0]?.[0] === 1
  }

  const next = async (): Promise<void> => {
    await glance().catch((error: unknown) => {
      works = false
      onError(error)
    })
    if (!stopped) timer = setTimeout(() => void next(), everyMs)
  }
  return {
    // The apps of a process do not all look at the same moment.
    start() {
      if (!stopped) timer = setTimeout(() => void next(), Math.random() * everyMs)
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      for (const { watch } of queues) watch.see(0)
    },
    sawWork: () => works,
  }
}

/** Two looks make a stalled job: it is over the lock's end by less than one interval. */
function watchStalled(backend: IQueueBackend, { stalledIntervalMs, onError }: RoundsOptions) {
  let timer: NodeJS.Timeout | undefined
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    await backend.moveStalledJobsToWait().catch(onError)
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
