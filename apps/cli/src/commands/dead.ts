/** `wxo dead …`: the dead letters of one app. */
import type { Command } from 'commander'
import { addFilterOptions, type FilterOptions } from '../filter.ts'
import type { Act } from '../program.ts'
import { countDead } from './dead-count.ts'
import { listDead } from './dead-ls.ts'
import { showDead } from './dead-show.ts'
import { changeMany } from './dead-task.ts'

export interface DeadOptions extends FilterOptions {
  readonly app?: string
  readonly by?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly detach?: boolean
  readonly perSecond?: string
}

export function addDead(program: Command, act: Act): void {
  const dead = program.command('dead').description('messages that could not be delivered: look, replay, discard')
  addFilterOptions(withApp(dead.command('ls').description('list them, newest first')), 'the newest')
    .option('--all', 'all of them, not just the newest 50')
    .action((options: DeadOptions) => act((session) => listDead(session, options)))
  addFilterOptions(withApp(dead.command('count').description('how many, by code')), FIRST)
    .option('--by <what>', 'errcode, touser or hour (of the death, UTC)', 'errcode')
    .action((options: DeadOptions) => act((session) => countDead(session, options)))
  withApp(dead.command('show').description('one, with its reason, its attempts and its content'))
    .argument('<id>', 'd-…')
    .action((id: string, options: DeadOptions) => act((session) => showDead(session, id, options)))
  for (const [action, text] of [
    ['replay', 'send them again, each as a new message'],
    ['discard', 'remove them for good'],
  ] as const) {
    addChanging(dead.command(action).description(`${text}, oldest first; workers carry it out`)).action(
      (ids: string[], options: DeadOptions) =>
        act((session, terminal) => changeMany({ session, terminal, action }, ids, options)),
    )
  }
}

const FIRST = 'those whose messages were accepted first'

const AFTER_CHANGING = `
The command follows the task until it has ended; the task needs it for nothing. Ctrl-C at a terminal asks whether to leave the task or to
cancel it. When nothing moves – for 5 s while no worker serves the app, else for 30 s – it says why, and goes on following at a terminal;
without one it ends with 1, and the task goes on: wxo task show.`

export function withApp(command: Command): Command {
  return command.option('--app <appid>', 'the Mini Program: wx…')
}

function addChanging(command: Command): Command {
  return addFilterOptions(
    withApp(command.argument('[id...]', 'd-…, or - for ids from standard input; or a filter')),
    FIRST,
  )
    .option('--all', 'every one that the filter leaves')
    .option('--per-second <n>', 'at most so many in a second')
    .option('--dry-run', 'say how many there are of each code and window state, and do nothing')
    .option('--detach', 'start it and do not wait for it: wxo task show')
    .option('--yes', 'do not ask')
    .addHelpText('after', AFTER_CHANGING)
}
