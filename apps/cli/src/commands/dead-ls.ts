/** `wxo dead ls`. */
import { recipientOf } from '@wechat-outbox/messages'
import { type ListedDeadLetter, wholeLetterIn } from '@wechat-outbox/outbox/engine'
import { chooseApp } from '../apps.ts'
import { walkDeadLetters } from '../filter.ts'
import { reasonText } from '../lang.ts'
import { type Output, plural, printTable, shortOpenid } from '../output.ts'
import type { Session } from '../session.ts'
import { lengthen, readChoice } from '../shortened.ts'
import { shownMax } from '../shown.ts'
import { showDuration, showTime } from '../times.ts'
import type { DeadOptions } from './dead.ts'

export async function listDead(session: Session, options: DeadOptions): Promise<void> {
  const choice = readChoice(options, Date.now())
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const { limit, ...filter } = await lengthen(store, appid, choice)
  const max = shownMax(limit, options.all)
  const items: ListedDeadLetter[] = []
  const more = await walkDeadLetters(store, { appid, filter, max }, (letter) => {
    items.push(letter)
  })
  const { output } = session
  if (output.json) return output.document({ appid, items, more })
  if (items.length === 0) return output.line(`${appid} has no dead letters${isEmpty(filter) ? '' : ' of that kind'}.`)
  printLetters(output, items)
  output.line()
  output.line(
    output.style(
      'dim',
      more
        ? `The newest ${items.length} of ${appid}; there are more: --limit N or --all.`
        : `${plural(items.length, 'dead letter')} of ${appid}.`,
    ),
  )
}

function isEmpty(filter: object): boolean {
  return Object.keys(filter).length === 0
}

/** Another program has added it, or has changed what stood in it. */
export const NO_LETTER = 'it is no dead letter'

function printLetters(output: Output, letters: readonly ListedDeadLetter[]): void {
  const nowMs = Date.now()
  const rows = letters.map((letter) => [
    letter.id,
    showTime(letter.deadAt),
    ...(wholeLetterIn(letter) === null
      ? ['–', 'unreadable', '–', NO_LETTER]
      : [
          showDuration(nowMs - letter.deadAt),
          msgtypeOf(letter),
          shortOpenid(recipientOf(letter) ?? '–'),
          reasonText(letter.reason, output.lang),
        ]),
  ])
  printTable(output, ['ID', 'DIED', 'AGO', 'MSGTYPE', 'TO', 'REASON'], rows)
}

export function msgtypeOf(letter: ListedDeadLetter): string {
  return 'msgtype' in letter.message ? letter.message.msgtype : 'unreadable'
}
