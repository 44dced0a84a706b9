/**
 * Notes which apps this process stores messages for, so that a message for an app that no worker serves can be found. It is
 * noted once per app and process, on the connection of the message and before it, and waited for by nobody.
 */
import { STORED_APPS_KEY } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

/** Apps in the list: those noted first make room. */
const LISTED_MAX = 10_000
/** Apps that a process remembers having noted. */
const REMEMBERED_MAX = 10_000
/** A Redis that refuses the note is asked again after that. */
const REPEAT_AFTER_MS = 60_000

/** Makes a function that notes an app, unless this process has done so. It never throws: a message needs no note. */
export function createStoredApps(): (store: Store, appid: string) => void {
  /** From when on, by this process's clock, an app is to be noted again. */
  const due = new Map<string, number>()
  const note = async ({ redis, clock }: Store, appid: string): Promise<void> => {
    try {
      await Promise.all([
        redis.zadd(STORED_APPS_KEY, clock.now(), appid),
        redis.zremrangebyrank(STORED_APPS_KEY, 0, -1 - LISTED_MAX),
      ])
    } catch {
      due.set(appid, performance.now() + REPEAT_AFTER_MS)
    }
  }
  return (store, appid) => {
    const at = due.get(appid)
    if (at !== undefined && at > performance.now()) return
    if (due.size >= REMEMBERED_MAX) due.clear()
    due.set(appid, Number.POSITIVE_INFINITY)
    void note(store, appid)
  }
}
