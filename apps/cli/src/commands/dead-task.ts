/**
 * `wxo dead replay` and `wxo dead discard`: a task that workers carry out. The command starts it, and then only watches: whatever
 * becomes of the terminal, the task goes on.
 */

import { text } from 'node:stream/consumers'
import { type DeadLetterFilter, isDeadLetterId, replayIdOf, TASK_IDS_MAX } from '@wechat-outbox/messages'
import {
  countDeadLetters,
  countGiven,
  createTask,
  type LetterCounts,
  type Store,
  TASKS_OPEN_MAX,
  type Task,
} from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import { chooseApp } from '../apps.ts'
import { confirm, type Terminal } from '../confirm.ts'
import { CommandFailure, EXIT, UsageError } from '../failure.ts'
import { hasFilter } from '../filter.ts'
import { type Output, plural } from '../output.ts'
import { type Session, stored } from '../session.ts'
import { lengthen, readChoice } from '../shortened.ts'
import { whoAmI } from '../who.ts'
import type { DeadOptions } from './dead.ts'
import { printCounts } from './dead-count.ts'
import {
  notReplayableLine,
  readNotReplayable,
  readWindows,
  refusedAgainLine,
  windowsLine,
  windowWarning,
} from './dead-windows.ts'
import { followTask, taskLine } from './follow.ts'

export interface Context {
  readonly session: Session
  readonly terminal: Terminal
  readonly action: 'replay' | 'discard'
}

/** The letters that are meant: those that are named, or those of a filter. */
type Chosen = { readonly ids: readonly string[] } | { readonly filter: DeadLetterFilter }

/** At most so many new ids are printed. */
const TOLD_MAX = 20
const PER_SECOND_MAX = 10_000

export async function changeMany(context: Context, given: readonly string[], options: DeadOptions): Promise<number> {
  const { session, terminal, action } = context
  const { output } = session
  const perSecond = readPerSecond(options.perSecond)
  checkUsage(given, options)
  const unasked = options.yes === true || options.dryRun === true
  // Refused before anything is read: a script without --yes is wrong whatever the filter would find today.
  if (!unasked && !terminal.interactive && (action === 'discard' || given.length === 0)) {
    throw new UsageError(`nobody is there to confirm: add --yes to ${action}, or --dry-run to see what would happen`)
  }
  const choice = given.length > 0 ? { ids: await readIds(given, terminal) } : readChoice(options, Date.now())
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const chosen = 'ids' in choice ? choice : { filter: await lengthen(store, appid, choice) }
  if (options.dryRun === true) return preview(output, store, { appid, action, chosen })
  if (!unasked && terminal.interactive) {
    const question = await questionOf(store, { appid, action, chosen })
    if (question !== undefined && !(await confirm(question, terminal))) throw new CommandFailure('nothing was done')
  }
  const task = await stored(createTask(store, appid, { action, ...chosen, perSecond, by: whoAmI() }))
  if (task === null) {
    throw new CommandFailure(
      `${appid} has ${TASKS_OPEN_MAX} tasks that run already: wait for one, or cancel one (wxo task ls)`,
    )
  }
  if (options.detach === true) return detached(output, appid, task)
  const end = await followTask({ session, terminal, appid }, task)
  return finish(output, { appid, chosen }, end)
}

function readPerSecond(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const perSecond = /^\d{1,5}$/.test(given) ? Number(given) : 0
  if (perSecond < 1 || perSecond > PER_SECOND_MAX)
    throw new UsageError(`--per-second must be from 1 to ${PER_SECOND_MAX}`)
  return perSecond
}

function checkUsage(ids: readonly string[], options: DeadOptions): void {
  if (ids.length > 0 && (hasFilter(options) || options.limit !== undefined))
    throw new UsageError('give ids or a filter, not both')
  if (ids.length === 0 && !hasFilter(options)) {
    throw new UsageError(
      'which ones? Give ids, or a filter: --errcode, --to, --not-to, --window, --since, --until, --all',
    )
  }
  checkIds(ids.filter((id) => id !== '-'))
}

function checkIds(ids: readonly string[]): void {
  if (ids.some((id) => !isDeadLetterId(id)))
    throw new UsageError('give the ids of dead letters, such as d-4fZ8hQ2sVx0LmN6tRw1B')
  if (ids.length > TASK_IDS_MAX) throw new UsageError(`at most ${TASK_IDS_MAX} ids at once; a filter takes any number`)
}

/** `-` stands for what standard input holds: ids between spaces or line ends. */
async function readIds(given: readonly string[], terminal: Terminal): Promise<string[]> {
  const named = given.filter((id) => id !== '-')
  const read = named.length === given.length ? [] : (await text(terminal.input)).split(/\s+/).filter((id) => id !== '')
  const ids = [...new Set([...named, ...read])]
  checkIds(ids)
  if (ids.length === 0) throw new UsageError('standard input holds no ids')
  return ids
}

function countChosen(store: Store, appid: string, chosen: Chosen): Promise<LetterCounts> {
  if ('ids' in chosen) return stored(countGiven(store, appid, chosen.ids))
  return stored(countDeadLetters(store, appid, { filter: chosen.filter, by: 'errcode', reasons: reasonKeys() }))
}

interface Wanted {
  readonly appid: string
  readonly action: Context['action']
  readonly chosen: Chosen
}

/** A single letter is replayed without a question, unless WeChat is likely to refuse it again. */
async function questionOf(store: Store, { appid, action, chosen }: Wanted): Promise<string | undefined> {
  const counted = await countChosen(store, appid, chosen)
  const warning = action === 'replay' ? await warningOf(store, appid, { chosen, counted }) : undefined
  if (action === 'replay' && 'ids' in chosen && chosen.ids.length === 1 && warning === undefined) return undefined
  const forGood = action === 'discard' ? ' for good' : ''
  const question = `${action} ${plural(counted.total, 'dead letter')} of ${appid}${forGood}?`
  return warning === undefined ? question : `${warning}\n${question}`
}

async function warningOf(
  store: Store,
  appid: string,
  { chosen, counted }: { chosen: Chosen; counted: LetterCounts },
): Promise<string | undefined> {
  const lines = [
    notReplayableLine(await readNotReplayable(store, appid, chosen)),
    await windowWarning(store, appid, { of: chosen, counted }),
    refusedAgainLine(counted),
  ]
  const said = lines.filter((line) => line !== undefined)
  return said.length === 0 ? undefined : said.join('\n')
}

async function preview(output: Output, store: Store, { appid, action, chosen }: Wanted): Promise<number> {
  const counted = await countChosen(store, appid, chosen)
  const windows = await readWindows(store, appid, { of: chosen, counted })
  if (output.json) {
    const notReplayable = (await readNotReplayable(store, appid, chosen)) ?? null
    output.document({ appid, dryRun: true, action, ...counted, windows, notReplayable })
    return EXIT.done
  }
  printCounts(output, counted, { by: 'errcode' })
  if (counted.total > 0) {
    output.line()
    output.line(windowsLine(windows, counted.total))
    const warning = action === 'replay' ? await warningOf(store, appid, { chosen, counted }) : undefined
    if (warning !== undefined) output.line(warning)
  }
  output.line(`Would ${action} ${plural(counted.total, 'dead letter')} of ${appid}; nothing was done.`)
  return EXIT.done
}

function detached(output: Output, appid: string, task: Task): number {
  if (output.json) output.document({ appid, task })
  output.line(`${task.id} started. To follow it: wxo task show ${task.id} --app ${appid}`)
  return EXIT.done
}

function finish(output: Output, { appid, chosen }: { appid: string; chosen: Chosen }, end: Task): number {
  if (output.json) output.document({ appid, task: end })
  const { action, status, total, done, skipped, failed } = end
  if ('ids' in chosen && action === 'replay' && done === total && done <= TOLD_MAX)
    for (const id of chosen.ids) output.line(`${id} → ${output.style('green', replayIdOf(id))}`)
  if (total === 0) output.line(`${appid} has no dead letters of that kind.`)
  else output.line(taskLine(end))
  const isWhole = status === 'done' && failed === 0 && ('filter' in chosen || skipped === 0)
  return isWhole ? EXIT.done : EXIT.failed
}
