/** `wxo show`: where one message stands. */
import { isDeadLetterId, isMessageId, type MessageStatus, type Part, type StatusReport } from '@wechat-outbox/messages'
import type { Command } from 'commander'
import { chooseApp, elsewhere } from '../apps.ts'
import { printAttempts } from '../attempts.ts'
import { CommandFailure, UsageError } from '../failure.ts'
import { type Output, printable, printFields, type Style } from '../output.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'
import { showTime } from '../times.ts'

export function addShow(program: Command, act: Act): void {
  program
    .command('show')
    .description('where a message stands, and what was tried')
    .argument('<id>', 'm-…')
    .option('--app <appid>', 'the Mini Program: wx…')
    .action((id: string, options: { app?: string }) => act((session) => show(session, id, options)))
}

async function show(session: Session, id: string, options: { app?: string }): Promise<void> {
  if (isDeadLetterId(id)) throw new UsageError(`${id} is a dead letter: wxo dead show ${id}`)
  if (!isMessageId(id)) throw new UsageError('give the id of a message, such as m-4fZ8hQ2sVx0LmN6tRw1B')
  const appid = await chooseApp(session, options.app)
  const report = await (await session.outbox()).status(id, appid)
  if (report === null)
    throw new CommandFailure(`${appid} has no message ${id}, or no longer${elsewhere(session, options.app)}`)
  if (session.output.json) return session.output.document(report)
  printReport(session.output, report)
}

const STYLES: Partial<Record<MessageStatus, Style>> = {
  delivered: 'green',
  dead: 'red',
  discarded: 'red',
  retrying: 'yellow',
  held: 'yellow',
  'waiting-for-user': 'yellow',
}

function printReport(output: Output, report: StatusReport): void {
  const style = STYLES[report.status]
  output.line(
    `${output.style('bold', report.id)}  ${style === undefined ? report.status : output.style(style, report.status)}`,
  )
  if (report.status === 'waiting-for-user') {
    const { touser, appid } = report
    output.line(
      `  ${printable(`WeChat takes nothing for its user now, so it waits for the user's next action: wxo window ${touser} --app ${appid}`)}`,
    )
  }
  printFields(output, [
    ['app', report.appid],
    ['to', report.touser],
    ['msgtype', report.msgtype],
    ['part', partText(report.part)],
    ['all parts', report.parts?.join(' ')],
    ['accepted', timeOf(report.acceptedAt)],
    ['send at', timeOf(report.sendAt)],
    ['expires at', timeOf(report.expiresAt)],
    ['waits since', timeOf(report.waitingSince)],
    ['settled', timeOf(report.settledAt)],
    ['dead letter', report.deadLetter],
    ['replay of', report.replayOf],
    ['replayed as', report.replayedAs],
    ['content', report.contentRemoved === true ? 'removed' : undefined],
    ['metadata', report.metadata === undefined ? undefined : JSON.stringify(report.metadata)],
  ])
  output.line()
  printAttempts(output, report.attempts)
}

/** Of a long text. */
export function partText(part: Part | undefined): string | undefined {
  return part === undefined ? undefined : `${part.n} of ${part.of}, the first is ${part.first}`
}

function timeOf(iso: string | undefined): string | undefined {
  return iso === undefined ? undefined : showTime(Date.parse(iso))
}
