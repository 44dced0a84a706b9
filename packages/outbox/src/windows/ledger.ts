/**
 * The ledger of reply windows: what people did, as services or WeChat's own push report it, and so what WeChat would take. It is
 * read by people and tools; workers keep it in the scripts that settle, without a round trip more.
 */
import type { ReplyWindow, WindowAction, WindowRule, WindowState } from '@wechat-outbox/messages'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface ActionOfUser {
  readonly touser: string
  readonly action: WindowAction
  /** Epoch milliseconds; now if absent. */
  readonly at?: number | undefined
  readonly id?: string | undefined
}

/** `known`: repeated, or older than the latest. `over`: what it allowed has ended. */
export type Noted = 'noted' | 'known' | 'over'

/** What becomes of messages while the reply window of their recipient is closed. */
export interface ClosedRule {
  /** Of messages that have no policy of their own. */
  readonly onClosed: 'dead-letter' | 'hold'
  /** A message that waits for its user and has no `expiresAt` is given up after so long. */
  readonly holdMaxMs: number
}

export const CLOSED_RULE_DEFAULT: ClosedRule = { onClosed: 'dead-letter', holdMaxMs: 7 * 86_400_000 }

/** For so long after a window has closed it is known to be closed; then nothing is known. */
const REMEMBERED_MS = 3_600_000

/** Notes what a person did. May be repeated with the same `at` and `id`. */
export function recordAction(
  store: Store,
  appid: string,
  { touser, action, at, id, rule }: ActionOfUser & { readonly rule: WindowRule },
): Promise<Noted> {
  const keys = appKeys(appid)
  return runScript<Noted>(store.redis, {
    name: 'act',
    keys: [keys.window(touser), keys.windows, keys.lane(touser)],
    args: [action, at ?? '', id ?? '', rule.limit, rule.ms, REMEMBERED_MS, keys.sendJobs],
  })
}

/** What is known of a person's window. */
export async function readWindow(store: Store, appid: string, touser: string): Promise<ReplyWindow> {
  const keys = appKeys(appid)
  const [now, fields, waiting, first] = await Promise.all([
    store.clock.read(),
    store.redis.hgetall(keys.window(touser)),
    store.redis.llen(keys.lane(touser)),
    store.redis.lindex(keys.lane(touser), 0),
  ])
  // Whoever stands behind it waits as long.
  const isHeld = first !== null && (await readAwaitingUser(store, appid, [first])).has(first)
  const counts = { waiting, waitingForUser: isHeld ? waiting : 0 }
  const { action, at, limit, used = '0', until } = fields
  if (until === undefined || limit === undefined) {
    return { state: 'unknown', remaining: null, closesAt: null, lastAction: null, ...counts }
  }
  const state = stateOf({ closesAt: Number(until), left: Number(limit) - Number(used) }, now)
  return {
    state,
    remaining: state === 'open' ? Number(limit) - Number(used) : 0,
    closesAt: new Date(Number(until)).toISOString(),
    lastAction:
      action === undefined ? null : { action: action as WindowAction, at: new Date(Number(at)).toISOString() },
    ...counts,
  }
}

function stateOf({ closesAt, left }: { closesAt: number; left: number }, now: number): WindowState {
  if (closesAt <= now) return 'closed'
  return left > 0 ? 'open' : 'used-up'
}

/** Whether any window of the app is known. */
export async function hasWindows({ redis }: Store, appid: string): Promise<boolean> {
  return (await redis.exists(appKeys(appid).windows)) === 1
}

/** The states of several people's windows, in their order: two round trips, and one where the app has no ledger. */
export async function readWindowStates(store: Store, appid: string, people: readonly string[]): Promise<WindowState[]> {
  const keys = appKeys(appid)
  if (people.length === 0) return []
  if (!(await hasWindows(store, appid))) return people.map(() => 'unknown')
  const now = await store.clock.read()
  const read = people.map(async (touser) => {
    const [until, limit, used] = await store.redis.hmget(keys.window(touser), 'until', 'limit', 'used')
    if (typeof until !== 'string') return 'unknown'
    return stateOf({ closesAt: Number(until), left: Number(limit) - Number(used ?? 0) }, now)
  })
  return Promise.all(read)
}

/** Which of these jobs of the queue `send` wait for the next action of their users. */
export async function readAwaitingUser(store: Store, appid: string, ids: readonly string[]): Promise<Set<string>> {
  const keys = appKeys(appid)
  const marks = await Promise.all(ids.map((id) => store.redis.hget(keys.sendJob(id), 'parked')))
  return new Set(ids.filter((_, at) => marks[at] === 'user'))
}
