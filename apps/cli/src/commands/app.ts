/** `wxo app …`: which apps are held and why, and what an operator does about it. */
import { type Hold, pauseApp, readHolds, resumeApp, type Store } from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { checkAppid, chooseApp, knownApps } from '../apps.ts'
import { UsageError } from '../failure.ts'
import { holdLines } from '../hold-text.ts'
import { printable } from '../output.ts'
import type { Act } from '../program.ts'
import { type Session, stored } from '../session.ts'
import { whoAmI } from '../who.ts'

/** A note for other operators, not a document. */
const WHY_CHARS_MAX = 200

export function addApp(program: Command, act: Act): void {
  const app = program.command('app').description('suspended, throttled and paused apps: look, pause, resume')
  app
    .command('ls')
    .description('every app, and what holds it')
    .argument('[appid...]', 'wx…, or every app that a worker has served')
    .action((appids: string[]) => act((session) => list(session, appids)))
  app
    .command('pause')
    .description('stop sending until `wxo app resume`; messages are still accepted, and wait in order')
    .argument('[appid...]', 'wx…')
    .option('--why <text>', 'what other operators read beside it')
    .action((appids: string[], options: { why?: string }) => act((session) => pause(session, appids, options)))
  app
    .command('resume')
    .description('end a pause, a suspension or a throttling at once, whoever made it')
    .argument('[appid...]', 'wx…')
    .action((appids: string[]) => act((session) => resume(session, appids)))
}

async function list(session: Session, given: readonly string[]): Promise<void> {
  const appids = given.length > 0 ? given.map(checkAppid) : await knownApps(session)
  const store = await session.store()
  const holds = new Map((await stored(readHolds(store, appids))).map((hold) => [hold.appid, hold]))
  const { output } = session
  if (output.json) return output.document({ items: appids.map((appid) => itemOf(appid, holds.get(appid))) })
  if (appids.length === 0) output.line('No worker has served an app here yet.')
  const now = Date.now()
  for (const appid of appids) {
    const hold = holds.get(appid)
    output.line(`${output.style('bold', appid)}  ${output.style(hold ? 'yellow' : 'green', hold ? 'held' : 'open')}`)
    for (const line of hold === undefined ? [] : holdLines(hold, now, output.lang)) output.line(`  ${printable(line)}`)
  }
}

/** As JSON: what holds an app, null where nothing does. */
function itemOf(appid: string, hold: Hold | undefined): object {
  return hold === undefined ? { appid, hold: null } : { appid, hold: { ...hold, appid: undefined } }
}

async function pause(session: Session, given: readonly string[], { why = '' }: { why?: string }): Promise<void> {
  if (why.length > WHY_CHARS_MAX) throw new UsageError(`--why may have ${WHY_CHARS_MAX} characters`)
  await change(session, given, {
    done: 'paused',
    already: 'was paused by an operator before',
    act: (store, appid) => pauseApp(store, appid, { why, by: whoAmI() }),
  })
}

async function resume(session: Session, given: readonly string[]): Promise<void> {
  await change(session, given, { done: 'resumed', already: 'was not held', act: resumeApp })
}

interface Change {
  readonly done: string
  readonly already: string
  /** Whether it changed anything. Doing it again is no error. */
  readonly act: (store: Store, appid: string) => Promise<boolean>
}

/** Does it to the apps that are named, or to the one there is. */
export async function change(
  session: Session,
  given: readonly string[],
  { done, already, act }: Change,
): Promise<void> {
  const appids = given.length > 0 ? given.map(checkAppid) : [await chooseApp(session, undefined)]
  const store = await session.store()
  const { output } = session
  const items: { appid: string; changed: boolean }[] = []
  for (const appid of appids) items.push({ appid, changed: await stored(act(store, appid)) })
  if (output.json) return output.document({ items })
  for (const { appid, changed } of items) output.line(`${appid} ${changed ? done : already}`)
}
