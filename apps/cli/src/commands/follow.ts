/**
 * Watching a task until it has ended. Ctrl-C on a terminal asks what is meant: to look away, or to cancel the task. Without a terminal
 * it ends the watching, and the task goes on; so does a task that stands still.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { cancelTask, isReplayPaused, readServed, readTask, type Task } from '@wechat-outbox/outbox/engine'
import { ask, type Terminal } from '../confirm.ts'
import { CommandFailure } from '../failure.ts'
import { plural, printable } from '../output.ts'
import { type Session, stored } from '../session.ts'
import { whoAmI } from '../who.ts'

export interface Watching {
  readonly session: Session
  readonly terminal: Terminal
  readonly appid: string
  /** After how long a task that stands still is explained. */
  readonly stillMs?: { readonly unserved: number; readonly served: number }
}

const LOOK_EVERY_MS = 200
/** A task that stands still for longer is explained: while no worker serves the app, and while one does. */
const STILL_MS = { unserved: 5000, served: 30_000 }
const BAR_CHARS = 20

const VERBS = { replay: 'replayed', discard: 'discarded' } as const

/** A task in one line. */
export function taskLine(task: Task): string {
  const { action, status, total, done, skipped, failed, notReplayable, takenBack } = task
  const what =
    total === null ? 'finding the dead letters' : `${done} of ${plural(total, 'dead letter')} ${VERBS[action]}`
  const others = [
    skipped > 0 ? `${skipped} skipped: gone, or asked for by somebody else` : '',
    failed > 0 ? `${failed} failed, and dead letters as before` : '',
    notReplayable > 0 ? `${notReplayable} of them not-replayable: their content was removed` : '',
    takenBack > 0 ? `${takenBack} taken back` : '',
    status === 'cancelled' ? 'cancelled' : '',
  ]
  return `${[what, ...others.filter((text) => text !== '')].join(', ')}.`
}

/**
 * Resolves when the task has ended. While nothing moves it says why: a person sees that and may wait, a script is not kept waiting.
 * @throws CommandFailure when the watching ends before
 */
export async function followTask(watching: Watching, started: Task): Promise<Task> {
  const { session, terminal, appid, stillMs = STILL_MS } = watching
  const interrupted = new AbortController()
  const onInterrupt = (): void => interrupted.abort()
  if (terminal.interactive) process.once('SIGINT', onInterrupt)
  let task = started
  let movedAt = performance.now()
  let said: string | undefined
  if (terminal.interactive) terminal.output.write(`${printable(task.id)} started.\n`)
  try {
    while (task.status === 'running') {
      show(terminal, progressLine(task))
      await sleep(LOOK_EVERY_MS, undefined, { signal: interrupted.signal }).catch(() => undefined)
      if (interrupted.signal.aborted) return await askAfterInterrupt(watching, task)
      const now = await look(session, appid, task.id)
      if (progressOf(now) !== progressOf(task)) movedAt = performance.now()
      task = now
      const still = performance.now() - movedAt
      const why = still > stillMs.unserved ? await whyStill(watching, still > stillMs.served) : undefined
      if (why === said) continue
      said = why
      if (why !== undefined) tell(watching, task, why)
    }
    return task
  } catch (error) {
    // The task needs no terminal, whatever has happened to the watching.
    if (!(error instanceof CommandFailure)) session.output.note(goesOn(appid, task))
    throw error
  } finally {
    process.off('SIGINT', onInterrupt)
    show(terminal, '')
  }
}

/** A person may wait for a worker that is being started, or press Ctrl-C. */
function tell({ terminal, appid }: Watching, task: Task, why: string): void {
  if (!terminal.interactive) throw new CommandFailure(`${why}. ${goesOn(appid, task)}`)
  show(terminal, '')
  terminal.output.write(`${printable(`${why}. Ctrl-C asks whether to leave or to cancel it.`)}\n`)
}

async function whyStill({ session, appid }: Watching, isLong: boolean): Promise<string | undefined> {
  const store = await session.store()
  if (!(await stored(readServed(store, [appid]))).has(appid)) {
    return `no worker serves ${appid} now; the task waits for one`
  }
  if (!isLong) return undefined
  if (await stored(isReplayPaused(store, appid))) {
    return `nothing moves, because the queue dead-letter of ${appid} was paused with BullMQ`
  }
  return `nothing moves, although a worker has served ${appid} within the last minute and a half: its log may tell why`
}

/** For a terminal. */
export function progressLine(task: Task): string {
  const { total, done, skipped, failed } = task
  if (total === null) return taskLine(task)
  const share = total === 0 ? 1 : (done + skipped + failed) / total
  const filled = Math.floor(share * BAR_CHARS)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}]`
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${taskLine(task)}`
}

const goesOn = (appid: string, { id }: Task): string => `${id} goes on: wxo task show ${id} --app ${appid}`

const progressOf = ({ total, done, skipped, failed }: Task): string => [total, done, skipped, failed].join()

/** One line that is written again and again; only where somebody sees it. One that the terminal breaks would be left behind. */
function show({ output, interactive }: Terminal, line: string): void {
  // A terminal that does not know its width says 0.
  const columns = (output as { columns?: number }).columns || 80
  if (interactive) output.write(`\r\u001b[K${printable(line).slice(0, columns - 1)}`)
}

async function look(session: Session, appid: string, id: string): Promise<Task> {
  const task = await stored(readTask(await session.store(), appid, id))
  if (task === null) throw new CommandFailure(`the task ${id} is gone`)
  return task
}

async function askAfterInterrupt({ session, terminal, appid }: Watching, task: Task): Promise<Task> {
  show(terminal, '')
  // A second Ctrl-C is no answer, and so it leaves.
  const answer = await ask(`cancel ${task.id}? It goes on if you only leave it. [c/L] `, terminal)
  if (!/^c(ancel)?$/i.test(answer.trim())) throw new CommandFailure(goesOn(appid, task))
  const cancelled = await stored(cancelTask(await session.store(), { appid, id: task.id, by: whoAmI() }, false))
  return cancelled?.task ?? look(session, appid, task.id)
}
