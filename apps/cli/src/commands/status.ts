/** `wxo status`: every app at a glance. Of a token it tells that it is there and for how long, never what it is. */
import {
  createTokenStore,
  DEAD_LETTER_QUEUE,
  type Hold,
  type RedisHealth,
  readBacklog,
  readHold,
  readRedisHealth,
  readServed,
  readUnserved,
  redisProblems,
  SEND_QUEUE,
  type Store,
  storeError,
  type UnservedApp,
  unservedSentence,
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
  /** Whether a worker serves it now, or did a minute and a half ago. */
  readonly served: boolean
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
  const store = await session.store()
  const { output } = session
  try {
    const health = await readRedisHealth(store.redis)
    const problems = redisProblems(health)
    const unserved = await readUnserved(store)
    const appids = await chooseApps(session, options.app, unserved)
    const served = await readServed(store, appids)
    const items: AppStatus[] = []
    for (const appid of appids) items.push({ ...(await readApp(store, appid)), served: served.has(appid) })
    if (output.json) return output.document({ redis: { ...health, problems }, items })
    printRedis(output, health, problems)
    if (items.length === 0) output.line('\nNo worker has served an app here yet.')
    for (const item of items) {
      const found = unserved.find(({ appid }) => appid === item.appid)
      printApp(output, item, found)
    }
  } catch (error) {
    throw storeError(error)
  }
}

/** Those that a worker has served, and those for which something is stored although none has. */
async function chooseApps(
  session: Session,
  named: string | undefined,
  unserved: readonly UnservedApp[],
): Promise<string[]> {
  if (named !== undefined) return [checkAppid(named)]
  return [...new Set([...(await knownApps(session)), ...unserved.map(({ appid }) => appid)])]
}

async function readApp(store: Store, appid: string): Promise<Omit<AppStatus, 'served'>> {
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
  output.line(`${output.style('bold', 'Redis')} ${printable(redisLine(health))}`)
  for (const problem of problems) output.line(`  ${output.style('red', '✗')} ${printable(problem)}`)
}

function redisLine(health: RedisHealth): string {
  const { version, appendOnly, appendFsync, evictionPolicy, usedMemoryBytes, maxMemoryBytes } = health
  const appended = appendOnly === false ? 'no append-only file' : `append-only ${appendFsync ?? '(fsync unknown)'}`
  const persistence = appendOnly === undefined ? 'persistence unknown' : appended
  const limit = maxMemoryBytes === 0 ? 'no limit' : `${showBytes(maxMemoryBytes ?? 0)} allowed`
  const memory = usedMemoryBytes === undefined ? 'memory unknown' : `${showBytes(usedMemoryBytes)} used (${limit})`
  return `${version ?? 'version unknown'}, ${persistence}, ${evictionPolicy ?? 'eviction unknown'}, ${memory}`
}

function printApp(output: Output, app: AppStatus, unserved: UnservedApp | undefined): void {
  const { send, deadLetter, deadLetters, token } = app
  const replaying = deadLetters - deadLetter.failed
  const oldest = app.oldestWaitingMs === null ? 'nothing waits' : `oldest ${showDuration(app.oldestWaitingMs)}`
  output.line()
  output.line(output.style('bold', app.appid))
  if (unserved !== undefined) output.line(`  ${output.style('red', '✗')} ${unservedSentence(unserved)}`)
  for (const line of app.hold === null ? [] : holdLines(app.hold, Date.now(), output.lang)) {
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
