/**
 * Watching a task until it has ended. Ctrl-C on a terminal asks what is meant: to look away, or to cancel the task. Without a terminal
 * it ends the watching, and the task goes on.
 */
import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { cancelTask, readServed, readTask, type Task } from '@wechat-outbox/outbox/engine'
import type { Terminal } from '../confirm.ts'
import { CommandFailure } from '../failure.ts'
import { plural, printable } from '../output.ts'
import { type Session, stored } from '../session.ts'

export interface Watching {
  readonly session: Session
  readonly terminal: Terminal
  readonly appid: string
}

const LOOK_EVERY_MS = 200
/** A task without a worker is not watched for longer. */
const NO_WORKER_MS = 5000

const VERBS = { replay: 'replayed', discard: 'discarded' } as const

/** A task in one line. */
export function taskLine(task: Task): string {
  const { action, status, total, done, skipped, failed, takenBack } = task
  const what =
    total === null ? 'finding the dead letters' : `${done} of ${plural(total, 'dead letter')} ${VERBS[action]}`
  const others = [
    skipped > 0 ? `${skipped} skipped: gone, or asked for by somebody else` : '',
    failed > 0 ? `${failed} failed, and dead letters as before` : '',
    takenBack > 0 ? `${takenBack} taken back` : '',
    status === 'cancelled' ? 'cancelled' : '',
  ]
  return `${[what, ...others.filter((text) => text !== '')].join(', ')}.`
}

/** Resolves when the task has ended. @throws CommandFailure when the watching ends before */
export async function followTask(watching: Watching, started: Task): Promise<Task> {
  const { session, terminal, appid } = watching
  const interrupted = new AbortController()
  const onInterrupt = (): void => interrupted.abort()
  if (terminal.interactive) process.once('SIGINT', onInterrupt)
  let task = started
  let movedAt = performance.now()
  try {
    while (task.status === 'running') {
      show(terminal, `${task.id}: ${taskLine(task)}`)
      await sleep(LOOK_EVERY_MS, undefined, { signal: interrupted.signal }).catch(() => undefined)
      if (interrupted.signal.aborted) return await askAfterInterrupt(watching, task)
      const now = await look(session, appid, task.id)
      if (progressOf(now) !== progressOf(task)) movedAt = performance.now()
      task = now
      if (performance.now() - movedAt > NO_WORKER_MS) await checkWorker(session, appid, task)
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

const goesOn = (appid: string, { id }: Task): string => `${id} goes on: wxo task show ${id} --app ${appid}`

const progressOf = ({ total, done, skipped, failed }: Task): string => [total, done, skipped, failed].join()

/** One line that is written again and again; only where somebody sees it. */
function show({ output, interactive }: Terminal, line: string): void {
  if (interactive) output.write(`\r\u001b[K${printable(line)}`)
}

async function look(session: Session, appid: string, id: string): Promise<Task> {
  const task = await stored(readTask(await session.store(), appid, id))
  if (task === null) throw new CommandFailure(`the task ${id} is gone`)
  return task
}

async function checkWorker(session: Session, appid: string, { id }: Task): Promise<void> {
  const served = await stored(readServed(await session.store(), [appid]))
  if (served.has(appid)) return
  throw new CommandFailure(`no worker serves ${appid} now; the task waits for one: wxo task show ${id} --app ${appid}`)
}

async function askAfterInterrupt({ session, terminal, appid }: Watching, task: Task): Promise<Task> {
  show(terminal, '')
  const answer = await ask(terminal, `cancel ${task.id}? It goes on if you only leave it. [c/L] `)
  if (!/^c(ancel)?$/i.test(answer.trim())) throw new CommandFailure(goesOn(appid, task))
  const cancelled = await stored(cancelTask(await session.store(), { appid, id: task.id }, false))
  return cancelled?.task ?? look(session, appid, task.id)
}

/** A second Ctrl-C is no answer, and so it leaves. */
async function ask({ input, output }: Terminal, question: string): Promise<string> {
  const lines = createInterface({ input, output })
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
  try {
    return await Promise.race([lines.question(question).catch(() => ''), closed])
  } finally {
    lines.close()
  }
}
