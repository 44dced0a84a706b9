/** `wxo status`: every app at a glance. Of a token it tells that it is there and for how long, never what it is. */
import {
  createTokenStore,
  DEAD_LETTER_QUEUE,
  type Hold,
  type RedisHealth,
  readBacklog,
  readHold,
  readRedisHealth,
  redisProblems,
  SEND_QUEUE,
  type Store,
  storeError,
} from '@wechat-outbox/outbox/engine'
import type { Command } from 'commander'
import { checkAppid, knownApps } from '../apps.ts'
import { holdLines } from '../hold-text.ts'
import { type Output, printable, printFields, showBytes } from '../output.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'
import { showDuration } from '../times.ts'

const STATES = ['waiting', 'active', 'delayed', 'prioritized', 'completed', 'failed'] as const
type Counts = Record<(typeof STATES)[number], number>

interface AppStatus {
  readonly appid: string
  readonly send: Counts
  readonly deadLetter: Counts
  /** How long the oldest message that is due has been waiting; null when none is. */
  readonly oldestWaitingMs: number | null
  /** Dead letters, those that are being replayed included. */
  readonly deadLetters: number
  /** What holds it, null while it is open. */
  readonly hold: Hold | null
  readonly token: { readonly version: number; readonly leftMs: number } | null
}

export function addStatus(program: Command, act: Act): void {
  program
    .command('status')
    .description('queues, dead letters, suspensions and tokens of every app, and the Redis they live in')
    .option('--app <appid>', 'this Mini Program alone')
    .action((options: { app?: string }) => act((session) => status(session, options)))
}

async function status(session: Session, options: { app?: string }): Promise<void> {
  const appids = await chooseApps(session, options.app)
  const store = await session.store()
  const { output } = session
  try {
    const health = await readRedisHealth(store.redis)
    const problems = redisProblems(health)
    const items: AppStatus[] = []
    for (const appid of appids) items.push(await readApp(store, appid))
    if (output.json) return output.document({ redis: { ...health, problems }, items })
    printRedis(output, health, problems)
    if (items.length === 0) output.line('\nNo worker has served an app here yet.')
    for (const item of items) printApp(output, item)
  } catch (error) {
    throw storeError(error)
  }
}

async function chooseApps(session: Session, named: string | undefined): Promise<string[]> {
  if (named !== undefined) return [checkAppid(named)]
  return knownApps(session)
}

async function readApp(store: Store, appid: string): Promise<AppStatus> {
  await store.clock.measure()
  const now = store.clock.now()
  const [send, deadLetter, { oldestSince }, token, hold] = await Promise.all([
    readCounts(store, appid, SEND_QUEUE),
    readCounts(store, appid, DEAD_LETTER_QUEUE),
    readBacklog(store, appid, now),
    createTokenStore(store, appid).read(),
    readHold(store, appid),
  ])
  const { waiting, active, delayed, prioritized, failed } = deadLetter
  return {
    appid,
    send,
    deadLetter,
    oldestWaitingMs: oldestSince === null ? null : now - oldestSince,
    deadLetters: failed + waiting + active + delayed + prioritized,
    hold,
    token: token === null ? null : { version: token.version, leftMs: token.leftMs },
  }
}

async function readCounts(store: Store, appid: string, queue: string): Promise<Counts> {
  const counts = await store.backend(appid, queue).getCounts([...STATES])
  return Object.fromEntries(STATES.map((state, position) => [state, counts[position] ?? 0])) as Counts
}

function printRedis(output: Output, health: RedisHealth, problems: readonly string[]): void {
  output.line(`${output.style('bold', 'Redis')} ${redisLine(health)}`)
  for (const problem of problems) output.line(`  ${output.style('red', '✗')} ${problem}`)
}

function redisLine(health: RedisHealth): string {
  const limit = health.maxMemoryBytes === 0 ? 'no limit' : `${showBytes(health.maxMemoryBytes)} allowed`
  const persistence = health.appendOnly
    ? `append-only ${health.appendFsync ?? '(fsync unknown)'}`
    : 'no append-only file'
  return `${health.version}, ${persistence}, ${health.evictionPolicy}, ${showBytes(health.usedMemoryBytes)} used (${limit})`
}

function printApp(output: Output, app: AppStatus): void {
  const { send, deadLetter, deadLetters, token } = app
  const replaying = deadLetters - deadLetter.failed
  const oldest = app.oldestWaitingMs === null ? 'nothing waits' : `oldest ${showDuration(app.oldestWaitingMs)}`
  output.line()
  output.line(output.style('bold', app.appid))
  for (const line of app.hold === null ? [] : holdLines(app.hold, Date.now())) {
    output.line(`  ${output.style('yellow', printable(line))}`)
  }
  printFields(output, [
    ['waiting', `${send.waiting + send.prioritized}, ${oldest}`],
    ['sending', String(send.active)],
    ['delayed', `${send.delayed} (scheduled, retrying or held)`],
    ['delivered', `${send.completed} still remembered`],
    // Failed jobs stand in the send queue only until the worker's sweep has seen them.
    ['dying', send.failed === 0 ? undefined : `${send.failed} to be moved to the dead letters`],
    ['dead letters', `${deadLetters}${replaying === 0 ? '' : `, ${replaying} of them being replayed`}`],
    ['token', tokenText(token)],
  ])
}

function tokenText(token: AppStatus['token']): string {
  if (token === null) return 'none'
  const left = token.leftMs > 0 ? `${showDuration(token.leftMs)} left` : `ended ${showDuration(-token.leftMs)} ago`
  return `version ${token.version}, ${left}`
}
