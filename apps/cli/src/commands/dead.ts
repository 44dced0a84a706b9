/** `wxo dead …`: the dead letters of one app. */
import type { Command } from 'commander'
import { addFilterOptions, type FilterOptions } from '../filter.ts'
import type { Act } from '../program.ts'
import { discardMany, replayMany } from './dead-act.ts'
import { listDead } from './dead-ls.ts'
import { showDead } from './dead-show.ts'

export interface DeadOptions extends FilterOptions {
  readonly app?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

export function addDead(program: Command, act: Act): void {
  const dead = program.command('dead').description('messages that could not be delivered: look, replay, discard')
  addFilterOptions(withApp(dead.command('ls').description('list them, newest first')))
    .option('--all', 'all of them, not just the newest 50')
    .action((options: DeadOptions) => act((session) => listDead(session, options)))
  withApp(dead.command('show').description('one, with its reason, its attempts and its content'))
    .argument('<id>', 'd-…')
    .action((id: string, options: DeadOptions) => act((session) => showDead(session, id, options)))
  addChanging(dead.command('replay').description('send them again, each as a new message')).action(
    (ids: string[], options: DeadOptions) =>
      act((session, terminal) => replayMany({ session, terminal }, ids, options)),
  )
  addChanging(dead.command('discard').description('remove them for good')).action(
    (ids: string[], options: DeadOptions) =>
      act((session, terminal) => discardMany({ session, terminal }, ids, options)),
  )
}

function withApp(command: Command): Command {
  return command.option('--app <appid>', 'the Mini Program: wx…')
}

function addChanging(command: Command): Command {
  return addFilterOptions(withApp(command.argument('[id...]', 'd-…, or a filter instead')))
    .option('--all', 'every one that the filter leaves')
    .option('--dry-run', 'say what would happen and do nothing')
    .option('--yes', 'do not ask')
}
