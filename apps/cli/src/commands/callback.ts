/** `wxo callback …`: an operator's hand on what an app's receiver is told. `wxo status` shows how much waits for it, and why. */
import {
  type CallbackReplay,
  countCallbacks,
  type ReplayedCallbacks,
  replayCallbacks,
  resumeCallbacks,
} from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { chooseApp } from '../apps.ts'
import { confirm, type Terminal } from '../confirm.ts'
import { CommandFailure, UsageError } from '../failure.ts'
import { readPast } from '../filter.ts'
import { plural } from '../output.ts'
import type { Act } from '../program.ts'
import { type Session, stored } from '../session.ts'
import { change } from './app.ts'
import { type ListOptions, listCallbacks } from './callback-ls.ts'
import { withApp } from './dead.ts'

interface ReplayOptions {
  readonly app?: string
  readonly since?: string
  readonly until?: string
  readonly failed?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const AFTER_LS = `
Delayed ones come first, the one that is due last before the others, then the waiting ones and the given-up ones, each newest first. One
that is being told at the moment is delayed, too: until its worker would count as dead. wxo status tells whether the receiver is held.`

const AFTER_REPLAY = `
The receiver gets each event under the webhook-id that it had, so one that goes by it takes none twice. What was told is kept for
RETAIN_DELIVERED_HOURS, what was given up for RETAIN_DEAD_DAYS. Workers tell them; a receiver that is held is told later.`

export function addCallback(program: Command, act: Act): void {
  const callback = program.command('callback').description('what receivers of callbacks are told: look, replay, resume')
  withApp(callback.command('ls').description('list what is to be told and what was given up, tried ones first'))
    .option('--failed', 'only what was given up')
    .option('--limit <n>', 'at most so many')
    .option('--all', 'all of them, not just 50')
    .addHelpText('after', AFTER_LS)
    .action((options: ListOptions) => act((session) => listCallbacks(session, options)))
  withApp(callback.command('replay').description('tell again what was told or given up'))
    .option('--since <time>', 'told or given up at or after: 30s, 5m, 2h, 3d ago, ISO 8601 (UTC), epoch ms')
    .option('--until <time>', 'told or given up at or before')
    .option('--failed', 'only what was given up')
    .option('--dry-run', 'say how many there are, and do nothing')
    .option('--yes', 'do not ask')
    .addHelpText('after', AFTER_REPLAY)
    .action((options: ReplayOptions) => act((session, terminal) => replay({ session, terminal }, options)))
  callback
    .command('resume')
    .description('let a receiver that is held be tried at once, one that answered 410 too')
    .argument('[appid...]', 'wx…')
    .action((appids: string[]) =>
      act((session) => change(session, appids, { done: 'resumed', already: 'was not held', act: resumeCallbacks })),
    )
}

async function replay(
  { session, terminal }: { session: Session; terminal: Terminal },
  options: ReplayOptions,
): Promise<void> {
  const { dryRun = false, failed: onlyGivenUp = false } = options
  if (options.since === undefined) throw new UsageError('since when? Give --since 2h')
  const unasked = dryRun || options.yes === true
  if (!unasked && !terminal.interactive)
    throw new UsageError('nobody is there to confirm: add --yes, or --dry-run to see how many there are')
  const appid = await chooseApp(session, options.app)
  const store = await session.store()
  const now = store.clock.now()
  const since = readPast('--since', options.since, now) ?? now
  const until = readPast('--until', options.until, now) ?? now
  const chosen: CallbackReplay = { appid, since, until, onlyGivenUp }
  const found = await stored(countCallbacks(store, chosen))
  if (!unasked && !(await confirm(`tell ${summary(found)} of ${appid} again?`, terminal)))
    throw new CommandFailure('nothing was done')
  const replayed = dryRun ? found : await stored(replayCallbacks(store, chosen))
  const { output } = session
  if (output.json) return output.document({ appid, dryRun, ...replayed })
  output.line(
    dryRun
      ? `${summary(found)} of ${appid}. Nothing was done.`
      : `${summary(replayed)} of ${appid} will be told again.`,
  )
  const left = found.told + found.givenUp - replayed.told - replayed.givenUp
  if (left > 0) output.note(`${plural(left, 'event')} stay: no more may wait. Repeat it when some were told.`)
}

function summary({ told, givenUp }: ReplayedCallbacks): string {
  return `${plural(told + givenUp, 'event')} (${told} told, ${givenUp} given up)`
}
