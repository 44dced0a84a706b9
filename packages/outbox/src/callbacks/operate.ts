/** What operators see of an app's callbacks, and what they can do about them. */
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** Why an app's receiver is told nothing. */
export interface ReceiverHold {
  /** `gone`: it answered 410, and is tried again when its settings change or an operator says so. */
  readonly kind: 'failing' | 'gone'
  readonly reason: string
  /** Epoch ms by Redis's clock. */
  readonly since: number
  /** When it is tried next; null for one that is gone. */
  readonly until: number | null
}

export interface Callbacks {
  readonly waiting: number
  /** Tried before, or being told now. */
  readonly delayed: number
  /** Kept for a replay. */
  readonly told: number
  readonly givenUp: number
  /** Null while the receiver takes events, or is not known to do otherwise. */
  readonly hold: ReceiverHold | null
}

export async function readCallbacks({ redis }: Store, appid: string): Promise<Callbacks> {
  const keys = appKeys(appid)
  const [waiting, delayed, told, givenUp, hold] = await Promise.all([
    redis.llen(keys.callbackWait),
    redis.zcard(keys.callbackDelayed),
    redis.zcard(keys.callbackCompleted),
    redis.zcard(keys.callbackFailed),
    redis.hgetall(keys.callbackHold),
  ])
  return { waiting, delayed, told, givenUp, hold: readHold(hold) }
}

function readHold({ kind, reason = '', since, until }: Record<string, string>): ReceiverHold | null {
  // Failures that are fewer than would hold it.
  if (kind !== 'failing' && kind !== 'gone') return null
  return { kind, reason, since: Number(since), until: until ? Number(until) : null }
}

/** Those of the apps for which events wait or are kept, or whose receiver is held. One pipelined round trip. */
export async function appsWithCallbacks({ redis }: Store, appids: readonly string[]): Promise<Set<string>> {
  const counts = await Promise.all(
    appids.map((appid) => {
      const { callbackWait, callbackDelayed, callbackCompleted, callbackFailed, callbackHold } = appKeys(appid)
      return redis.exists(callbackWait, callbackDelayed, callbackCompleted, callbackFailed, callbackHold)
    }),
  )
  return new Set(appids.filter((_, n) => (counts[n] ?? 0) > 0))
}

/** Lets the receiver be tried again at once. Returns whether it was held. */
export async function resumeCallbacks({ redis }: Store, appid: string): Promise<boolean> {
  const { callbackHold, callbackMarker } = appKeys(appid)
  const call = { name: 'callback-resume', keys: [callbackHold, callbackMarker], args: [] } as const
  return (await runScript<number>(redis, call)) === 1
}

export interface CallbackReplay {
  readonly appid: string
  /** When an event was told or given up, epoch ms by Redis's clock. */
  readonly since: number
  readonly until: number
  /** Only those that were given up. */
  readonly onlyGivenUp: boolean
}

export interface ReplayedCallbacks {
  readonly told: number
  readonly givenUp: number
}

/** Events in one script, which takes Redis a few milliseconds. */
const CHUNK = 200

/** How many a replay would be about. */
export async function countCallbacks({ redis }: Store, replay: CallbackReplay): Promise<ReplayedCallbacks> {
  const { appid, since, until, onlyGivenUp } = replay
  const { callbackCompleted, callbackFailed } = appKeys(appid)
  const [told, givenUp] = await Promise.all([
    onlyGivenUp ? 0 : redis.zcount(callbackCompleted, since, until),
    redis.zcount(callbackFailed, since, until),
  ])
  return { told, givenUp }
}

/** Puts them back into the queue, the given-up ones first. What there is no room for stays. @throws what Redis answers; then it can be repeated */
export async function replayCallbacks(store: Store, replay: CallbackReplay): Promise<ReplayedCallbacks> {
  const { callbackCompleted, callbackFailed } = appKeys(replay.appid)
  const givenUp = await replayFrom(store, callbackFailed, replay)
  return { told: replay.onlyGivenUp ? 0 : await replayFrom(store, callbackCompleted, replay), givenUp }
}

async function replayFrom(store: Store, from: string, { appid, since, until }: CallbackReplay): Promise<number> {
  const { callbackWait, callbackDelayed, callbackMarker, callbackJobs } = appKeys(appid)
  const keys = [callbackWait, callbackDelayed, from, callbackMarker]
  const call = { name: 'callback-replay', keys, args: [callbackJobs, since, until, CHUNK] } as const
  let replayed = 0
  for (;;) {
    const went = await runScript<number>(store.redis, call)
    replayed += went
    if (went < CHUNK) return replayed
  }
}
