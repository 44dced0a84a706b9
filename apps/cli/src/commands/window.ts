/** `wxo window`: how many messages WeChat still takes for a person, and until when. */
import { type ReplyWindow, touserSchema } from '@wechat-outbox/messages'
import { readWindow } from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { chooseApp } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { type Output, plural, printable, printFields, type Style } from '../output.ts'
import type { Act } from '../program.ts'
import { type Session, stored } from '../session.ts'
import { isShortened, lengthen, readChoice } from '../shortened.ts'
import { showDuration, showTime } from '../times.ts'
import { withApp } from './dead.ts'

export function addWindow(program: Command, act: Act): void {
  withApp(program.command('window'))
    .description('how many messages WeChat still takes for a person, and until when')
    .argument('<openid>', 'an openid, or oABC…wxyz as lists shorten it where it is in a dead letter')
    .action((openid: string, options: { app?: string }) => act((session) => showWindow(session, openid, options)))
}

async function showWindow(session: Session, given: string, options: { app?: string }): Promise<void> {
  if (!isShortened(given) && !touserSchema.safeParse(given).success)
    throw new UsageError('the openid must be 1 to 64 letters, digits, _ or -')
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const [openid = given] = (await lengthen(store, appid, readChoice({ to: [given] }, Date.now()))).touser ?? []
  const window = await stored(readWindow(store, appid, openid))
  const { output } = session
  if (output.json) return output.document({ appid, touser: openid, ...window })
  printWindow(output, { appid, openid, nowMs: store.clock.now() }, window)
}

const STYLES: Readonly<Record<ReplyWindow['state'], Style>> = {
  open: 'green',
  'used-up': 'yellow',
  closed: 'yellow',
  unknown: 'dim',
}

/** Messages are sent where nothing is known; but what WeChat has refused already, and may wait, waits. */
const waitingMeaning = (count: number): string =>
  `nobody has reported an action of this person to the outbox lately; ${plural(count, 'message')} ${
    count === 1 ? 'waits for one, and is' : 'wait for one, and are'
  } tried every six hours`

const MEANINGS: Readonly<Record<ReplyWindow['state'], string>> = {
  open: 'WeChat takes messages',
  'used-up': 'WeChat takes nothing more until the user acts again',
  closed: 'WeChat takes nothing until the user acts again',
  unknown: 'no action was reported, or the window closed long ago; messages are sent as in an open one',
}

function printWindow(
  output: Output,
  { appid, openid, nowMs }: { appid: string; openid: string; nowMs: number },
  { state, remaining, closesAt, lastAction, waiting, waitingForUser }: ReplyWindow,
): void {
  const meaning = state === 'unknown' && waitingForUser > 0 ? waitingMeaning(waitingForUser) : MEANINGS[state]
  output.line(`${output.style('bold', printable(openid))}  ${output.style(STYLES[state], state)}: ${meaning}`)
  printFields(output, [
    ['app', appid],
    ['remaining', remaining === null ? undefined : String(remaining)],
    [state === 'closed' ? 'closed at' : 'closes at', closesAt === null ? undefined : timeText(closesAt, nowMs)],
    ['last action', lastAction === null ? undefined : `${lastAction.action}, ${timeText(lastAction.at, nowMs)}`],
    ['waiting', `${waiting} not settled yet`],
  ])
}

/** `2026-11-30 08:00:00Z, in 1d 3h` */
function timeText(iso: string, nowMs: number): string {
  const at = Date.parse(iso)
  return `${showTime(at)}, ${at > nowMs ? `in ${showDuration(at - nowMs)}` : `${showDuration(nowMs - at)} ago`}`
}
