/** `wxo task …`: the bulk replays and discards of one app. */
import { isTaskId } from '@wechat-outbox/messages'
import { cancelTask, listTasks, readTask, type Task } from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { chooseApp, elsewhere } from '../apps.ts'
import { CommandFailure, UsageError } from '../failure.ts'
import { type Output, printFields, printTable } from '../output.ts'
import type { Act } from '../program.ts'
import { type Session, stored } from '../session.ts'
import { showTime } from '../times.ts'
import { whoAmI } from '../who.ts'
import { withApp } from './dead.ts'
import { taskLine } from './follow.ts'

interface TaskOptions {
  readonly app?: string
  readonly takeBack?: boolean
}

export function addTask(program: Command, act: Act): void {
  const task = program.command('task').description('bulk replays and discards of dead letters: look, cancel')
  withApp(task.command('ls').description('those that run, and those that ended in the last days, newest first')).action(
    (options: TaskOptions) => act((session) => list(session, options)),
  )
  withApp(task.command('show').description('one, with its filter and how far it is'))
    .argument('<id>', 'r-…')
    .action((id: string, options: TaskOptions) => act((session) => show(session, id, options)))
  withApp(task.command('cancel').description('stop one at once; what is left of its letters stays as it is'))
    .argument('<id>', 'r-…')
    .option(
      '--take-back',
      'turn what it has replayed and no worker has tried to send yet into dead letters again; possible for a day',
    )
    .action((id: string, options: TaskOptions) => act((session) => cancel(session, id, options)))
}

async function list(session: Session, options: TaskOptions): Promise<void> {
  const appid = await chooseApp(session, options.app)
  const items = await stored(listTasks(await session.store(), appid))
  const { output } = session
  if (output.json) return output.document({ appid, items })
  if (items.length === 0) return output.line(`${appid} has had no tasks in the last days.`)
  const rows = items.map((task) => [
    task.id,
    task.status,
    task.action,
    showTime(Date.parse(task.startedAt)),
    task.by,
    taskLine(task),
  ])
  printTable(output, ['ID', 'STATUS', 'ACTION', 'STARTED', 'BY', 'PROGRESS'], rows)
}

async function show(session: Session, id: string, options: TaskOptions): Promise<void> {
  const appid = await chooseWith(session, id, options)
  const task = await stored(readTask(await session.store(), appid, id))
  if (task === null) throw unknownTask(appid, id, elsewhere(session, options.app))
  if (session.output.json) return session.output.document({ appid, ...task })
  printTask(session.output, appid, task)
}

async function cancel(session: Session, id: string, options: TaskOptions): Promise<number | void> {
  const appid = await chooseWith(session, id, options)
  const cancelled = await stored(
    cancelTask(await session.store(), { appid, id, by: whoAmI() }, options.takeBack === true),
  )
  if (cancelled === null) throw unknownTask(appid, id, elsewhere(session, options.app))
  const { kind, task } = cancelled
  if (session.output.json) return session.output.document({ appid, ...task })
  if (kind === 'ended') session.output.note(`${id} had ended before`)
  session.output.line(taskLine(task))
}

async function chooseWith(session: Session, id: string, options: TaskOptions): Promise<string> {
  if (!isTaskId(id)) throw new UsageError('give the id of a task, such as r-4fZ8hQ2sVx0LmN6tRw1B')
  return chooseApp(session, options.app)
}

function unknownTask(appid: string, id: string, where: string): CommandFailure {
  return new CommandFailure(`${appid} has no task ${id}, or it ended more than seven days ago${where}`)
}

function printTask(output: Output, appid: string, task: Task): void {
  const { id, action, status, filter, perSecond, startedAt, endedAt, by, cancelledBy } = task
  output.line(`${output.style('bold', id)}  ${output.style(status === 'running' ? 'yellow' : 'green', status)}`)
  printFields(output, [
    ['app', appid],
    ['action', action],
    ['filter', filter === null ? 'ids that were given' : JSON.stringify(filter)],
    ['rate', perSecond === null ? undefined : `${perSecond} a second`],
    ['by', by],
    ['cancelled by', cancelledBy],
    ['started', showTime(Date.parse(startedAt))],
    ['ended', endedAt === undefined ? undefined : showTime(Date.parse(endedAt))],
    ['progress', taskLine(task)],
  ])
}
