/**
 * Delivered messages go when they have been kept long enough. Each settlement of a delivery sees to that; in an app in which
 * nothing is delivered any more, the sweep does, so that content does not stay for ever.
 */
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface KeepDelivered {
  readonly ms: number
  readonly count: number
}

/** What one script removes, for each of the two reasons. */
const AT_ONCE = 1000
/** The rest is there for the next sweep. */
const SCRIPTS_MAX = 100

/** Removes delivered messages that are older than `keep.ms`, and the oldest beyond `keep.count`. Returns how many went. */
export async function trimDelivered(store: Store, appid: string, keep: KeepDelivered): Promise<number> {
  const { sendCompleted, sendJobs } = appKeys(appid)
  const args = [sendJobs, ...keepArguments(keep)]
  const call = { name: 'trim', keys: [sendCompleted], args } as const
  let trimmed = 0
  for (let scripts = 0; scripts < SCRIPTS_MAX; scripts += 1) {
    const went = await runScript<number>(store.redis, call)
    trimmed += went
    if (went < AT_ONCE) break
  }
  return trimmed
}

/** As `trim-delivered.lua` takes them: whole seconds, and a number. */
export function keepArguments({ ms, count }: KeepDelivered): [seconds: number, count: number] {
  return [Math.floor(ms / 1000), count]
}
