/** `wxo forget`: erases what stands of one person in an app. Only a whole openid will do: what it erases cannot be brought back. */
import { touserSchema } from '@wechat-outbox/messages'
import { type Forgotten, forgetPerson } from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { chooseApp } from '../apps.ts'
import { confirm, type Terminal } from '../confirm.ts'
import { CommandFailure, EXIT, UsageError } from '../failure.ts'
import { type Output, plural, printFields, shortOpenid } from '../output.ts'
import type { Act } from '../program.ts'
import { type Session, stored } from '../session.ts'
import { withApp } from './dead.ts'

interface ForgetOptions {
  readonly app?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const AFTER = `
Waiting messages are taken back; what a worker is sending just now stays, and the command ends with 1: run it again then. It may be
interrupted and repeated. Services have to stop writing to the person first. What it cannot reach – files of Redis, replicas, logs, WeChat
itself – stands in docs/privacy.md.`

export function addForget(program: Command, act: Act): void {
  withApp(program.command('forget'))
    .description('erase everything that is stored of a person')
    .argument('<openid>', 'the whole openid')
    .option('--dry-run', 'say what there is, and do nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', AFTER)
    .action((openid: string, options: ForgetOptions) =>
      act((session, terminal) => forget({ session, terminal }, openid, options)),
    )
}

async function forget(
  { session, terminal }: { session: Session; terminal: Terminal },
  touser: string,
  options: ForgetOptions,
): Promise<number> {
  if (!touserSchema.safeParse(touser).success)
    throw new UsageError('the openid must be given whole: 1 to 64 letters, digits, _ or -')
  const { dryRun = false } = options
  const unasked = dryRun || options.yes === true
  if (!unasked && !terminal.interactive)
    throw new UsageError('nobody is there to confirm: add --yes, or --dry-run to see what there is')
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  if (!unasked) {
    const found = await stored(forgetPerson(store, { appid, touser, dryRun: true }))
    const question = `${summary(found)}\nerase all of it of ${shortOpenid(touser)} in ${appid} for good?`
    if (!(await confirm(question, terminal))) throw new CommandFailure('nothing was done')
  }
  const forgotten = await stored(forgetPerson(store, { appid, touser, dryRun }))
  const { output } = session
  if (output.json) output.document({ appid, touser, dryRun, ...forgotten })
  else print(output, forgotten, { appid, touser, dryRun })
  return isWhole(forgotten) || dryRun ? EXIT.done : EXIT.failed
}

const isWhole = ({ left }: Forgotten): boolean => left.sending + left.tasks === 0

function fieldsOf(found: Forgotten): [string, number][] {
  return [
    ['waiting messages', found.waiting],
    ['delivered messages', found.delivered],
    ['dead letters', found.deadLetters],
    ['endings remembered', found.endings],
    ['idempotency keys', found.idempotencyKeys],
    ['callback events', found.events],
    ['reply windows', found.windows],
    ['collapse keys', found.collapseKeys],
    ['filters of tasks', found.tasks],
  ]
}

const summary = (found: Forgotten): string =>
  fieldsOf(found)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')

function print(output: Output, found: Forgotten, at: { appid: string; touser: string; dryRun: boolean }): void {
  const { appid, touser, dryRun } = at
  output.line(`${output.style('bold', shortOpenid(touser))}  ${dryRun ? 'is stored' : 'was erased'} in ${appid}`)
  printFields(
    output,
    fieldsOf(found).map(([what, count]) => [what, String(count)] as const),
  )
  const { sending, tasks } = found.left
  const again = dryRun ? 'would stay' : 'left: run it again when they have ended'
  if (sending > 0) output.line(output.style('yellow', `${plural(sending, 'message')} being sent just now, ${again}.`))
  if (tasks > 0)
    output.line(
      output.style(
        'yellow',
        `${plural(tasks, 'task')} under way that ${tasks === 1 ? 'names' : 'name'} the person, ${again}.`,
      ),
    )
  if (dryRun) output.line('Nothing was done.')
}
