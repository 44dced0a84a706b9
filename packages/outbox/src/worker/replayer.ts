/**
 * Replays what somebody has retried, as soon as it is retried, and carries out tasks: it waits for the marker that BullMQ puts beside the
 * queue of dead letters, and that whoever starts a task puts there, together with all that waits in this process, and
 * looks by itself from time to time. Not a BullMQ Worker: a replay is one step in Redis, so there is nothing to lock, to renew
 * or to take over.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SharedWait } from '../bullmq/shared-wait.ts'
import { countRetried, type ReplayOptions } from '../dead-letters/replay.ts'
import { messageOf } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import { runRound } from '../tasks/step.ts'
import type { Task } from '../tasks/task.ts'
import type { Watchdog } from './watchdog.ts'

export interface ReplayerOptions extends ReplayOptions {
  /** Undefined on a Redis Cluster: then it looks every second. */
  readonly sharedWait: SharedWait | undefined
  readonly watchdog: Watchdog
  readonly onReplayed: (replayed: { id: string; replayOf: string }) => void
  /** The letters of a task have been found, or it has ended. */
  readonly onTask: (task: Task, event: 'started' | 'ended') => void
  readonly onProblem: (problem: { what: string; error: string; id?: string }) => void
}

export interface Replayer {
  run(): void
  /** Resolves when the batch under way has ended. */
  close(): Promise<void>
}

const LOOK_EVERY_MS = 60_000
const LOOK_WITHOUT_WAIT_MS = 1000
const AFTER_FAULT_MS_MAX = 5000
/** Whoever asks for many replays does so one after the other. They are put in order once nobody has asked for so long, … */
const QUIET_MS = 200
/** … or, since somebody may always ask, after that. */
const GATHER_MS_MAX = 2000

export function createReplayer(options: ReplayerOptions): Replayer {
  const { appid, sharedWait, watchdog, onReplayed, onTask, onProblem } = options
  const marker = appKeys(appid).deadMarker
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let faults = 0

  async function wait(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined)
  }

  async function waitForMore(): Promise<void> {
    if (stop.signal.aborted) return
    if (sharedWait === undefined) return wait(LOOK_WITHOUT_WAIT_MS)
    const waiting = sharedWait.wait(marker, LOOK_EVERY_MS)
    const cancel = (): void => waiting.cancel(new Error('closed'))
    stop.signal.addEventListener('abort', cancel)
    await waiting.heard.catch(() => undefined)
    stop.signal.removeEventListener('abort', cancel)
  }

  /** Waits until all that is being asked for has been. What is asked for later is replayed later. */
  async function gather(): Promise<void> {
    let count = await countRetried(options)
    for (let waited = 0; waited < GATHER_MS_MAX && !stop.signal.aborted; waited += QUIET_MS) {
      await wait(QUIET_MS)
      const before = count
      count = await countRetried(options)
      if (count === before) return
    }
  }

  /** One batch of everything. Returns how long to wait for the next, or undefined: until something is asked for. */
  async function replayBatch(): Promise<number | undefined> {
    try {
      const { replayed, problems, told, againMs } = await watchdog.watching(runRound(options))
      faults = 0
      for (const one of replayed) onReplayed(one)
      for (const { task, event } of told) onTask(task, event)
      for (const problem of problems) onProblem(problem)
      return againMs
    } catch (error) {
      // One line for a row of faults: whoever watches Redis says more.
      if (faults === 0) onProblem({ what: 'replaying dead letters', error: messageOf(error) })
      faults += 1
      return Math.min(50 * 2 ** Math.min(faults, 10), AFTER_FAULT_MS_MAX)
    }
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      const againMs = await replayBatch()
      if (againMs !== undefined) await wait(againMs)
      else {
        await waitForMore()
        // A Redis that fails here fails for the batch as well, which says so.
        await gather().catch(() => undefined)
      }
    }
  }

  return {
    run: () => void (running = loop()),
    close() {
      stop.abort()
      return running
    },
  }
}
