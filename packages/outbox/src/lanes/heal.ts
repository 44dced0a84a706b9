/**
 * Lanes mend themselves. Usually a message that waits behind another is woken by whoever takes that one off the lane; but
 * where somebody removes jobs or deletes keys, nobody is left to do so. So lanes with parked messages are remembered with
 * the time at which they last moved, and those that stand still are looked at.
 */
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { collectSpoilt, isRefusal, type Spoilt } from '../errors.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** A lane that has not moved for so long is looked at. With the sweep's interval this stays under a minute. */
const STILL_MS = 25_000
const LANES_AT_ONCE = 100
/** Delayed jobs that are looked through for messages of a deleted lane. */
const SEARCHED_MAX = 100_000
const PAGE = 500

type Look = [looked: number, hasMore: '1' | '', empty: string[], spoilt: string[]]

/**
 * Wakes whoever is first in a lane that stands still. Returns how many lanes were looked at.
 * @throws when the others have been seen to, where another program has spoilt the key of a lane, or of a message in it
 */
export async function healLanes(store: Store, appid: string, stillMs = STILL_MS): Promise<number> {
  const keys = appKeys(appid)
  const look = (atOnce: number, recalled: Iterable<string>): Promise<Look> => {
    const args = [keys.sendJobs, stillMs, atOnce, ...recalled]
    return runScript<Look>(store.redis, { name: 'heal', keys: [keys.parkedLanes], args })
  }
  const deleted = new Set<string>()
  const spoilt = collectSpoilt()
  let looked = 0
  for (;;) {
    const [count, hasMore, empty, unread] = await look(LANES_AT_ONCE, [])
    looked += count
    for (const lane of empty) deleted.add(lane)
    addLanes(spoilt, unread)
    if (count < LANES_AT_ONCE && hasMore === '') break
  }
  // What could not be read may be a member, too.
  if (deleted.size > 0 && (await recallMembers({ store, appid }, deleted, spoilt))) await look(0, deleted)
  spoilt.throwNoted()
  return looked
}

/** A lane is named by what is first in it: its key ends with an openid, which no log holds. */
function addLanes(spoilt: Spoilt, unread: readonly string[]): void {
  for (let at = 0; at < unread.length; at += 2) {
    spoilt.add(unread[at] ? `the lane of ${unread[at]}` : 'a lane', unread[at + 1] ?? '')
  }
}

/**
 * A lane was deleted under its parked messages. They are promoted with their mark still on them, which makes each of them
 * look for its place and take a new one: their order is lost, and none of them is. Returns whether all
 * could be read.
 */
async function recallMembers(
  { store, appid }: { store: Store; appid: string },
  lanes: ReadonlySet<string>,
  spoilt: Spoilt,
): Promise<boolean> {
  const keys = appKeys(appid)
  const backend = store.backend(appid, SEND_QUEUE)
  const members: string[] = []
  let isWhole = true
  for (let from = 0; from < SEARCHED_MAX; from += PAGE) {
    const ids = await store.redis.zrange(keys.sendDelayed, String(from), String(from + PAGE - 1))
    const marks = await Promise.all(
      ids.map((id) => store.redis.hmget(keys.sendJob(id), 'parked', 'data').catch(spoilt.note(id))),
    )
    for (const [index, mark] of marks.entries()) {
      if (mark === undefined) isWhole = false
      const [parked, data] = mark ?? []
      const touser = parked !== '1' ? undefined : recipientIn(parseJson(data))
      if (touser !== undefined && lanes.has(keys.lane(touser))) members.push(ids[index] ?? '')
    }
    if (ids.length < PAGE) break
  }
  // Where another program has spoilt what waits, BullMQ's script would fail between the two lists.
  await store.redis.llen(keys.sendWait)
  await Promise.all(
    members.map((id) =>
      backend.promote(id).catch((error: unknown) => {
        // One that somebody has promoted meanwhile is on its way already.
        if (isRefusal(error)) throw error
      }),
    ),
  )
  return isWhole
}
