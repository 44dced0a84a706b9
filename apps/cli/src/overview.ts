/** What Redis knows of a whole outbox, for `wxo status` and `wxo doctor`. Of a token it reports only that it is there and for how long. */
import {
  type Callbacks,
  countAtOnce,
  createTokenStore,
  DEAD_LETTER_QUEUE,
  type Hold,
  type KeptFailure,
  type LetterCounts,
  listRunningTasks,
  type RedisHealth,
  readBacklog,
  readCallbacks,
  readHold,
  readRedisHealth,
  readServed,
  readUnserved,
  SEND_QUEUE,
  type Store,
  type Task,
  type UnservedApp,
} from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import { checkAppid, knownApps } from './apps.ts'
import { type Session, stored } from './session.ts'

const STATES = ['waiting', 'active', 'delayed', 'prioritized', 'completed', 'failed'] as const
export type Counts = Record<(typeof STATES)[number], number>

export interface AppStatus {
  readonly appid: string
  readonly send: Counts
  readonly deadLetter: Counts
  /** How long the oldest message that is due has been waiting; null when none is. */
  readonly oldestWaitingMs: number | null
  /** Of those that are delayed: messages that wait for the next action of their users. */
  readonly waitingForUser: number
  /** Dead letters, those that are being replayed included. */
  readonly deadLetters: number
  /** The same by errcode, or by the name of a reason without one. */
  readonly deadLetterCodes: LetterCounts
  /** Bulk replays and discards that run. */
  readonly tasks: readonly Task[]
  /** Whether a worker serves it now, or did a minute and a half ago. */
  readonly served: boolean
  /** What holds it, null while it is open. */
  readonly hold: Hold | null
  readonly token: { readonly version: number; readonly leftMs: number } | null
  /** Why the last fetch of a token gave none, null where it gave one. */
  readonly tokenFailure: KeptFailure | null
  /** What waits for the app's receiver of callbacks, and why. */
  readonly callbacks: Callbacks
}

export interface Overview {
  readonly health: RedisHealth
  readonly apps: readonly AppStatus[]
  /** Apps for which something is stored and that no worker serves. Of all apps, also where one was named. */
  readonly unserved: readonly UnservedApp[]
  /** Whether a worker serves any app at all. */
  readonly anyServed: boolean
  /** By Redis's clock. */
  readonly nowMs: number
}

/** @throws UsageError for an appid that is none, OutboxError where Redis fails */
export async function readOverview(session: Session, named?: string): Promise<Overview> {
  const given = named === undefined ? undefined : checkAppid(named)
  return stored(readFrom(session, await session.store(), given))
}

async function readFrom(session: Session, store: Store, named: string | undefined): Promise<Overview> {
  const [health, unserved, known] = await Promise.all([
    readRedisHealth(store.redis),
    readUnserved(store),
    knownApps(session),
  ])
  // Those that a worker has served, and those for which something is stored although none has.
  const all = [...new Set([...known, ...unserved.map(({ appid }) => appid)])]
  const appids = named === undefined ? all : [named]
  const served = await readServed(store, [...new Set([...all, ...appids])])
  const apps: AppStatus[] = []
  for (const appid of appids) apps.push({ ...(await readApp(store, appid)), served: served.has(appid) })
  return { health, apps, unserved, anyServed: served.size > 0, nowMs: store.clock.now() }
}

async function readApp(store: Store, appid: string): Promise<Omit<AppStatus, 'served'>> {
  const now = store.clock.now()
  const tokens = createTokenStore(store, appid)
  const [send, deadLetter, { oldestSince, waitingForUser }, token, tokenFailure, hold, tasks, callbacks] =
    await Promise.all([
      readCounts(store, appid, SEND_QUEUE),
      readCounts(store, appid, DEAD_LETTER_QUEUE),
      readBacklog(store, appid, now),
      tokens.read(),
      tokens.readFailure(),
      readHold(store, appid),
      listRunningTasks(store, appid),
      readCallbacks(store, appid),
    ])
  const { waiting, active, delayed, prioritized, failed } = deadLetter
  const deadLetters = failed + waiting + active + delayed + prioritized
  return {
    appid,
    send,
    deadLetter,
    oldestWaitingMs: oldestSince === null ? null : now - oldestSince,
    waitingForUser,
    deadLetters,
    deadLetterCodes: (await countAtOnce(store, appid, { filter: {}, by: 'errcode', reasons: reasonKeys() })) ?? NONE,
    tasks,
    hold,
    callbacks,
    token: token === null ? null : { version: token.version, leftMs: token.leftMs },
    tokenFailure,
  }
}

const NONE: LetterCounts = { total: 0, counts: [], others: 0 }

async function readCounts(store: Store, appid: string, queue: string): Promise<Counts> {
  const counts = await store.backend(appid, queue).getCounts([...STATES])
  return Object.fromEntries(STATES.map((state, position) => [state, counts[position] ?? 0])) as Counts
}
