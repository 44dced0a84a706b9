/**
 * Says in Redis that a worker serves an app: for ever in the list of apps, which the gateway takes messages for, and for now in
 * a key that ends soon after its last worker has. Repeated, because somebody may delete keys or empty Redis under running workers;
 * and apart from the sweep, which may take long.
 */
import { messageOf } from '../errors.ts'
import { APPS_KEY, appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

export interface PresenceOptions {
  readonly appid: string
  readonly store: Store
  readonly report: { readonly problem: (problem: { what: string; error: string }) => void }
  /** Default 30 s. */
  readonly sayEveryMs?: number | undefined
}

export interface Presence {
  /** Resolves when Redis has answered, or has refused it. */
  start(): Promise<void>
  stop(): void
}

const SAY_EVERY_MS = 30_000
/** One that was missed ends nothing. */
const LASTS_MS = 90_000

export function createPresence({ appid, store, report, sayEveryMs = SAY_EVERY_MS }: PresenceOptions): Presence {
  const { redis } = store
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const say = async (): Promise<void> => {
    try {
      await Promise.all([redis.sadd(APPS_KEY, appid), redis.set(appKeys(appid).served, '1', 'PX', LASTS_MS)])
    } catch (error) {
      report.problem({ what: 'registering the app', error: messageOf(error) })
    }
    if (!stopped) timer = setTimeout(() => void say(), sayEveryMs)
  }
  return {
    start: say,
    stop(): void {
      stopped = true
      clearTimeout(timer)
    },
  }
}
