/** `wxo dead show`: everything about one dead letter, its content too: the terminal is the operator's own. */
import {
  isContentRemoved,
  isDeadLetterId,
  isMessageId,
  type JobData,
  type Reason,
  type RemovedContent,
  reasonKeyOf,
  reasonLine,
  recipientOf,
  wechatBody,
} from '@wechat-outbox/messages'
import {
  type ListedDeadLetter,
  readDeadLetter,
  storeError,
  wholeLetterIn,
  whyNotReplayable,
} from '@wechat-outbox/outbox/engine'
import { PROSPECT_MEANINGS, replayProspect } from '@wechat-outbox/policy'
import { chooseApp, elsewhere } from '../apps.ts'
import { printAttempts } from '../attempts.ts'
import { CommandFailure, UsageError } from '../failure.ts'
import { type Output, plural, printable, printFields } from '../output.ts'
import type { Session } from '../session.ts'
import { showDuration, showTime } from '../times.ts'
import type { DeadOptions } from './dead.ts'
import { msgtypeOf, NO_LETTER } from './dead-ls.ts'
import { partText } from './show.ts'

export async function showDead(session: Session, id: string, options: DeadOptions): Promise<void> {
  if (isMessageId(id)) throw new UsageError(`${id} is a message: wxo show ${id}`)
  if (!isDeadLetterId(id)) throw new UsageError('give the id of a dead letter, such as d-4fZ8hQ2sVx0LmN6tRw1B')
  const appid = await chooseApp(session, options.app)
  const letter = await readDeadLetter(await session.store(), appid, id).catch((error: unknown) => {
    throw storeError(error)
  })
  if (letter === null)
    throw new CommandFailure(
      `${appid} has no dead letter ${id}: replayed, discarded or expired, or never there${elsewhere(session, options.app)}`,
    )
  if (session.output.json) return session.output.document({ appid, ...letter })
  if (wholeLetterIn(letter) === null) return printOdd(session.output, letter)
  printLetter(session.output, appid, letter)
}

function printOdd(output: Output, { id, ...data }: ListedDeadLetter): void {
  output.line(`${output.style('bold', id)}  ${output.style('red', NO_LETTER)}`)
  printJson(output, data)
}

function printLetter(output: Output, appid: string, letter: ListedDeadLetter): void {
  const { reason, attempts } = letter
  const { message: stored } = letter
  const message = 'unreadable' in stored ? undefined : stored
  output.line(`${output.style('bold', letter.id)}  ${output.style('red', printable(reasonLine(reason)))}`)
  printFields(output, [
    ['meaning', reason.meaning[output.lang]],
    ['source', reason.source],
    ['rid', reason.rid],
    ['a replay', whyNotReplayable(letter) === undefined ? prospectOf(reason, output) : undefined],
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
  printContent(output, letter)
  printEarlier(output, message?.earlierReasons ?? [])
}

const prospectOf = (reason: Reason, { lang }: Output): string =>
  PROSPECT_MEANINGS[replayProspect(reasonKeyOf(reason))][lang]

function printContent(output: Output, letter: ListedDeadLetter): void {
  const { message } = letter
  if (isContentRemoved(letter) || 'contentRemoved' in message)
    return output.line(output.style('bold', 'content removed because of its age (not-replayable)'))
  const isReadable = !('unreadable' in message)
  output.line(output.style('bold', isReadable ? 'content' : 'content (unreadable, cannot be replayed)'))
  const content = isReadable ? wechatBody(message) : message
  printJson(output, content)
}

function printJson(output: Output, value: object): void {
  for (const line of JSON.stringify(value, null, 2).split('\n')) output.line(`  ${printable(line)}`)
}

function envelopeFields(message: JobData | RemovedContent | undefined): [string, string | undefined][] {
  if (message === undefined) return []
  const timeOf = (at: number | undefined): string | undefined => (at === undefined ? undefined : showTime(at))
  const { ifUnsure, idempotencyKey } = 'contentRemoved' in message ? {} : message
  return [
    ['send at', timeOf(message.sendAt)],
    ['expires at', timeOf(message.expiresAt)],
    ['if unsure', ifUnsure],
    ['key', idempotencyKey],
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
