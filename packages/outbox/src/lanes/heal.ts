/**
 * Lanes mend themselves. Usually a message that waits behind another is woken by whoever takes that one off the lane; but
 * where somebody removes jobs or deletes keys, nobody is left to do so. So lanes with parked messages are remembered with
 * the time at which they last moved, and those that stand still are looked at.
 */
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** A lane that has not moved for so long is looked at. With the sweep's interval this stays under a minute. */
const STILL_MS = 25_000
const LANES_AT_ONCE = 100
/** Delayed jobs that are looked through for messages of a deleted lane. */
const SEARCHED_MAX = 100_000
const PAGE = 500

/** Wakes whoever is first in a lane that stands still. Returns how many lanes were looked at. */
export async function healLanes(store: Store, appid: string, stillMs = STILL_MS): Promise<number> {
  const keys = appKeys(appid)
  const deleted = new Set<string>()
  let looked = 0
  for (;;) {
    const call = { name: 'heal', keys: [keys.parkedLanes], args: [keys.sendJobs, stillMs, LANES_AT_ONCE] } as const
    const [count, ...empty] = await runScript<[number, ...string[]]>(store.redis, call)
    looked += count
    for (const lane of empty) deleted.add(lane)
    if (count < LANES_AT_ONCE) break
  }
  if (deleted.size > 0) await recallMembers(store, appid, deleted)
  return looked
}

/**
 * A lane was deleted under its parked messages. They are promoted with their mark still on them, which makes each of them
 * look for its place and take a new one: their order is lost, and none of them is.
 */
async function recallMembers(store: Store, appid: string, lanes: ReadonlySet<string>): Promise<void> {
  const keys = appKeys(appid)
  const backend = store.backend(appid, SEND_QUEUE)
  const members: string[] = []
  for (let from = 0; from < SEARCHED_MAX; from += PAGE) {
    const ids = await store.redis.zrange(keys.sendDelayed, String(from), String(from + PAGE - 1))
    const marks = await Promise.all(ids.map((id) => store.redis.hmget(keys.sendJob(id), 'parked', 'data')))
    for (const [index, [parked, data]] of marks.entries()) {
      const touser = parked !== '1' ? undefined : recipientIn(parseJson(data))
      if (touser !== undefined && lanes.has(keys.lane(touser))) members.push(ids[index] ?? '')
    }
    if (ids.length < PAGE) break
  }
  // One that somebody has promoted meanwhile is on its way already.
  await Promise.all(members.map((id) => backend.promote(id).catch(() => undefined)))
}
