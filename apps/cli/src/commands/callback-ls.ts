/** `wxo callback ls`. */
import { type ListedEvent, readCallbacks, walkEvents } from '@wechat-outbox/outbox/engine'
import { chooseApp } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { receiverText } from '../hold-text.ts'
import { type Output, plural, printable, printTable } from '../output.ts'
import { type Session, stored } from '../session.ts'
import { SHOWN_MAX, shownMax } from '../shown.ts'
import { showDuration, showTime } from '../times.ts'

export interface ListOptions {
  readonly app?: string
  readonly failed?: boolean
  readonly limit?: string
  readonly all?: boolean
}

export async function listCallbacks(session: Session, options: ListOptions): Promise<void> {
  const { failed: onlyGivenUp = false } = options
  const max = shownMax(readLimit(options.limit), options.all)
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const nowMs = store.clock.now()
  const { hold } = await stored(readCallbacks(store, appid))
  const { items, more } = await stored(take(walkEvents(store, appid, { onlyGivenUp }), max))
  const { output } = session
  if (output.json) return output.document({ appid, items, more, hold })
  if (items.length === 0) {
    return output.line(`${appid} has no callbacks that ${onlyGivenUp ? 'were given up' : 'were not taken'}.`)
  }
  printEvents(output, items, nowMs)
  output.line()
  if (hold !== null) {
    output.line(
      output.style('yellow', printable(`The receiver ${receiverText(hold, nowMs)}: wxo callback resume ${appid}`)),
    )
  }
  output.line(
    output.style(
      'dim',
      more
        ? `${items.length} callbacks of ${appid}; there are more: --limit N or --all.`
        : `${plural(items.length, 'callback')} of ${appid}.`,
    ),
  )
}

function readLimit(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const limit = /^\d{1,6}$/.test(given) ? Number(given) : 0
  if (limit < 1 || limit > SHOWN_MAX) throw new UsageError(`--limit must be from 1 to ${SHOWN_MAX}`)
  return limit
}

async function take(
  events: AsyncIterable<ListedEvent>,
  max: number,
): Promise<{ items: readonly ListedEvent[]; more: boolean }> {
  const items: ListedEvent[] = []
  for await (const event of events) {
    if (items.length === max) return { items, more: true }
    items.push(event)
  }
  return { items, more: false }
}

function printEvents(output: Output, events: readonly ListedEvent[], nowMs: number): void {
  const rows = events.map((event) => [
    event.messageId ?? '–',
    event.type,
    showTime(event.at),
    String(event.attempts),
    dueText(event, nowMs),
    event.error ?? '–',
  ])
  printTable(output, ['MESSAGE', 'TYPE', 'SINCE', 'TRIES', 'DUE', 'ERROR'], rows)
}

function dueText({ dueAt, givenUpAt }: ListedEvent, nowMs: number): string {
  if (givenUpAt !== null) return `given up ${showDuration(nowMs - givenUpAt)} ago`
  return dueAt === null || dueAt <= nowMs ? 'now' : `in ${showDuration(dueAt - nowMs)}`
}
