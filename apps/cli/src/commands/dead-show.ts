/** `wxo dead show`: everything about one dead letter, its content too: the terminal is the operator's own. */
import { isDeadLetterId, isMessageId, type JobData, reasonLine, recipientOf, wechatBody } from '@wechat-outbox/messages'
import { type ListedDeadLetter, readDeadLetter, storeError } from '@wechat-outbox/outbox/engine'
import { chooseApp } from '../apps.ts'
import { printAttempts } from '../attempts.ts'
import { CommandFailure, UsageError } from '../failure.ts'
import { type Output, plural, printable, printFields } from '../output.ts'
import type { Session } from '../session.ts'
import { showDuration, showTime } from '../times.ts'
import type { DeadOptions } from './dead.ts'
import { msgtypeOf } from './dead-ls.ts'
import { partText } from './show.ts'

export async function showDead(session: Session, id: string, options: DeadOptions): Promise<void> {
  if (isMessageId(id)) throw new UsageError(`${id} is a message: wxo show ${id}`)
  if (!isDeadLetterId(id)) throw new UsageError('the id of a dead letter is d-…')
  const appid = await chooseApp(session, options.app)
  const letter = await readDeadLetter(await session.store(), appid, id).catch((error: unknown) => {
    throw storeError(error)
  })
  if (letter === null)
    throw new CommandFailure(`${appid} has no dead letter ${id}: replayed, discarded or expired, or never there`)
  if (session.output.json) return session.output.document({ appid, ...letter })
  printLetter(session.output, appid, letter)
}

function printLetter(output: Output, appid: string, letter: ListedDeadLetter): void {
  const { reason, attempts } = letter
  const message = 'unreadable' in letter.message ? undefined : letter.message
  output.line(`${output.style('bold', letter.id)}  ${output.style('red', printable(reasonLine(reason)))}`)
  printFields(output, [
    ['meaning', reason.meaning[output.lang]],
    ['source', reason.source],
    ['rid', reason.rid],
  ])
  output.line()
  printFields(output, [
    ['app', appid],
    ['message', letter.messageId],
    ['to', recipientOf(letter)],
    ['msgtype', msgtypeOf(letter)],
    ['part', partText(message?.part)],
    ['accepted', showTime(letter.acceptedAt)],
    ['died', `${showTime(letter.deadAt)} (${showDuration(Date.now() - letter.deadAt)} ago)`],
    ...envelopeFields(message),
  ])
  output.line()
  output.line(output.style('bold', plural(attempts.length, 'attempt')))
  printAttempts(output, attempts)
  output.line()
  output.line(output.style('bold', message === undefined ? 'content (unreadable, cannot be replayed)' : 'content'))
  const content = message === undefined ? letter.message : wechatBody(message)
  for (const line of JSON.stringify(content, null, 2).split('\n')) output.line(`  ${printable(line)}`)
  printEarlier(output, message?.earlierReasons ?? [])
}

function envelopeFields(message: JobData | undefined): [string, string | undefined][] {
  if (message === undefined) return []
  const timeOf = (at: number | undefined): string | undefined => (at === undefined ? undefined : showTime(at))
  return [
    ['send at', timeOf(message.sendAt)],
    ['expires at', timeOf(message.expiresAt)],
    ['if unsure', message.ifUnsure],
    ['key', message.idempotencyKey],
    ['metadata', message.metadata === undefined ? undefined : JSON.stringify(message.metadata)],
    ['replay of', message.replayOf],
  ]
}

function printEarlier(output: Output, reasons: readonly string[]): void {
  if (reasons.length === 0) return
  output.line()
  output.line(output.style('bold', 'earlier reasons, newest first'))
  for (const reason of reasons) output.line(`  ${printable(reason)}`)
}
