/** How much an app has before it, in one round trip: what metrics and operators ask again and again, so it is cheap. */
import type { ReceiverHold } from '../callbacks/operate.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface Backlog {
  /** `delayed`: scheduled, retrying, held or waiting for its app. `failed`: dead, and about to become a dead letter. */
  readonly send: {
    readonly waiting: number
    readonly active: number
    readonly delayed: number
    readonly failed: number
  }
  /** `failed`: the dead letters. The others are those that somebody has retried. */
  readonly deadLetter: { readonly waiting: number; readonly active: number; readonly failed: number }
  /** Epoch milliseconds since when the oldest message that is due has waited; null when none is. */
  readonly oldestSince: number | null
  /** Messages that wait for their users; they are among `delayed`. */
  readonly waitingForUser: number
  /** `delayed`: tried before, or being told. `failed`: given up. */
  readonly callback: { readonly waiting: number; readonly delayed: number; readonly failed: number }
  /** How the receiver of callbacks is held; undefined while it is not. */
  readonly receiverHeld: ReceiverHold['kind'] | undefined
}

/** Of each list. It costs Redis some microseconds a message. */
const LOOKED_AT_MAX = 32

export async function readBacklog(store: Store, appid: string, nowMs: number): Promise<Backlog> {
  const { sendJobs, deadJobs, replaysDue, lanes, callbackJobs } = appKeys(appid)
  const counts = await runScript<(number | string)[]>(store.redis, {
    name: 'backlog',
    keys: [sendJobs, deadJobs, replaysDue, lanes, callbackJobs],
    args: [nowMs, LOOKED_AT_MAX],
  })
  const [
    waiting = 0,
    active = 0,
    delayed = 0,
    failed = 0,
    retried = 0,
    replaying = 0,
    dead = 0,
    oldest = 0,
    waitingForUser = 0,
    toTell = 0,
    toTellLater = 0,
    givenUp = 0,
  ] = counts.map(Number)
  const held = counts.at(-1)
  return {
    send: { waiting, active, delayed, failed },
    deadLetter: { waiting: retried, active: replaying, failed: dead },
    oldestSince: oldest === 0 ? null : oldest,
    waitingForUser,
    callback: { waiting: toTell, delayed: toTellLater, failed: givenUp },
    receiverHeld: held === 'failing' || held === 'gone' ? held : undefined,
  }
}
