/**
 * Lanes that disagree with the queue. No step of the outbox leaves one: each judges and changes lane and job together.
 * Operators and other programs can – a queue obliterated, a lane deleted, a job removed or completed from a console – and then a message waits
 * for one that will never come, or overtakes one that has. Most of that heals by itself within a minute (`heal.ts`); this finds and mends
 * the rest while everything goes on running.
 *
 *   look    every lane, and every message that waits: nothing is held up, each call to Redis is bounded
 *   again   a second later, only what was found; what has gone meanwhile was a step between two others
 *   mend    what is still there, one script per lane, which judges for itself
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { scanKeys } from '../redis/scan.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** Ids of one recipient's messages, by what is wrong with them. Once mended: as it was before. */
export interface LaneProblem {
  readonly touser: string
  /** In the lane, and their message is gone or over. */
  readonly ghosts: readonly string[]
  /** More than once in the lane. */
  readonly duplicates: readonly string[]
  /** They wait, and are not in the lane. */
  readonly missing: readonly string[]
  /** First in the lane, and parked all the same: nobody is left who would wake it. None or one. */
  readonly parkedFirst: readonly string[]
}

export interface LaneInspection {
  readonly appid: string
  /** Mends what it finds. False by default. */
  readonly repair?: boolean
  /** Between the first look and the second, in ms. */
  readonly againAfterMs?: number
}

const AGAIN_AFTER_MS = 1000
/** Keys or ids asked for in one command, and scripts sent at once. */
const PAGE = 200
/** Ids of one lane that are judged in one script, some ten milliseconds; the rest is, once these have gone. */
const JUDGED_MAX = 5000
/** Lanes that wait together for their second look. */
const SUSPECTS_MAX = 10_000
/** Messages held in memory while they are suspected to be missing from their lanes. */
const MISSING_MAX = 100_000

/**
 * Looks through an app's lanes and its send queue and yields each lane that disagrees, mended if that is asked for. It
 * takes a second whenever it has found something, and may run beside workers, producers and other inspections.
 */
export async function* inspectLanes(store: Store, inspection: LaneInspection): AsyncGenerator<LaneProblem> {
  const keys = appKeys(inspection.appid)
  let suspects = new Map<string, LaneProblem>()
  for await (const lanes of scanLanes(store, keys)) {
    for (const problem of await judgeAll(store, keys, { lanes })) suspects.set(problem.touser, problem)
    if (suspects.size < SUSPECTS_MAX) continue
    yield* lookAgain(store, suspects, inspection)
    suspects = new Map()
  }
  for (const [touser, missing] of await findMissing(store, keys)) {
    const found = suspects.get(touser) ?? { touser, ghosts: [], duplicates: [], missing: [], parkedFirst: [] }
    suspects.set(touser, { ...found, missing })
  }
  if (suspects.size > 0) yield* lookAgain(store, suspects, inspection)
}

async function* lookAgain(
  store: Store,
  suspects: ReadonlyMap<string, LaneProblem>,
  { appid, repair = false, againAfterMs = AGAIN_AFTER_MS }: LaneInspection,
): AsyncGenerator<LaneProblem> {
  const keys = appKeys(appid)
  await delay(againAfterMs)
  for (const lanes of pages([...suspects.keys()])) {
    for (const now of await judgeAll(store, keys, { lanes, suspects })) {
      const before = suspects.get(now.touser)
      const stays = before === undefined ? undefined : common(before, now)
      if (stays === undefined || isSound(stays)) continue
      if (repair) await judge(store, keys, { touser: now.touser, missing: stays.missing, mend: true })
      yield stays
    }
  }
}

function common(before: LaneProblem, now: LaneProblem): LaneProblem {
  const both = (one: readonly string[], other: readonly string[]): string[] => {
    const known = new Set(one)
    return other.filter((id) => known.has(id))
  }
  return {
    touser: now.touser,
    ghosts: both(before.ghosts, now.ghosts),
    duplicates: both(before.duplicates, now.duplicates),
    missing: both(before.missing, now.missing),
    parkedFirst: both(before.parkedFirst, now.parkedFirst),
  }
}

function isSound({ ghosts, duplicates, missing, parkedFirst }: LaneProblem): boolean {
  return ghosts.length + duplicates.length + missing.length + parkedFirst.length === 0
}

/** Judges some lanes, each with the messages that are suspected to be missing from it. Returns those that disagree. */
async function judgeAll(
  store: Store,
  keys: AppKeys,
  at: { lanes: readonly string[]; suspects?: ReadonlyMap<string, LaneProblem> },
): Promise<LaneProblem[]> {
  const judged = at.lanes.map((touser) =>
    judge(store, keys, { touser, missing: at.suspects?.get(touser)?.missing ?? [], mend: false }),
  )
  return (await Promise.all(judged)).filter((problem) => !isSound(problem))
}

async function judge(
  store: Store,
  keys: AppKeys,
  lane: { touser: string; missing: readonly string[]; mend: boolean },
): Promise<LaneProblem> {
  const { touser, missing, mend } = lane
  const args = [keys.sendJobs, mend ? 1 : 0, JUDGED_MAX, ...missing.slice(0, JUDGED_MAX)]
  const call = { name: 'mend-lane', keys: [keys.lane(touser), keys.parkedLanes], args } as const
  const [ghosts, duplicates, absent, parkedFirst] = await runScript<[string[], string[], string[], string[]]>(
    store.redis,
    call,
  )
  return { touser, ghosts, duplicates, missing: absent, parkedFirst }
}

/** The recipients of all lanes, page by page. One may come twice. */
async function* scanLanes(store: Store, keys: AppKeys): AsyncGenerator<string[]> {
  for await (const found of scanKeys(store, { pattern: keys.lanePattern, count: PAGE })) yield found.map(keys.laneOf)
}

interface Waiting {
  readonly id: string
  readonly timestamp: number
  /** Among those accepted in the same millisecond, whoever has been tried was first, and so is older. */
  readonly untried: 0 | 1
  /** Among those again, one that is parked came after one that is not, and parked ones in the order of their scores. */
  readonly parkedAt: number
  /** Among those again: smaller is older. */
  readonly rank: number
}

/**
 * The messages that wait and do not stand in their lanes, by recipient, oldest first. The queue moves under the walk, so
 * that one may be passed over: the next inspection finds it.
 */
async function findMissing(store: Store, keys: AppKeys): Promise<Map<string, string[]>> {
  const found = new Map<string, Map<string, Waiting>>()
  let count = 0
  let rank = 0
  for await (const ids of walkQueue(store, keys)) {
    for (const { touser, ...waiting } of await notInLanes(store, keys, ids)) {
      const ofOne = found.get(touser) ?? new Map<string, Waiting>()
      found.set(touser, ofOne)
      rank += 1
      // Seen again, it is the later place that counts: the lists are walked from their newest end.
      if (!ofOne.has(waiting.id)) count += 1
      ofOne.set(waiting.id, { ...waiting, rank: -rank })
    }
    if (count >= MISSING_MAX) break
  }
  const oldestFirst = (a: Waiting, b: Waiting): number =>
    a.timestamp - b.timestamp || a.untried - b.untried || a.parkedAt - b.parkedAt || a.rank - b.rank
  return new Map(
    [...found].map(([touser, ofOne]) => [touser, [...ofOne.values()].sort(oldestFirst).map(({ id }) => id)]),
  )
}

/** The ids that wait, newest first: in `wait` the last to be added stands left, and what is delayed or active is older. */
async function* walkQueue({ redis }: Store, keys: AppKeys): AsyncGenerator<{ id: string; score: number }[]> {
  for (const list of [keys.sendWait, keys.sendActive]) {
    for (let from = 0; ; from += PAGE) {
      const ids = await redis.lrange(list, String(from), String(from + PAGE - 1))
      yield ids.map((id) => ({ id, score: 0 }))
      if (ids.length < PAGE) break
    }
  }
  let cursor = '0'
  do {
    const [next, members] = await redis.zscan(keys.sendDelayed, cursor, 'COUNT', String(PAGE))
    const found = members.flatMap((id, at) => (at % 2 === 0 ? [{ id, score: Number(members[at + 1]) }] : []))
    yield found.reverse()
    cursor = next
  } while (cursor !== '0')
}

async function notInLanes(store: Store, keys: AppKeys, found: readonly { id: string; score: number }[]) {
  const read = await Promise.all(
    found.map(async ({ id, score }) => {
      const fields = ['data', 'timestamp', 'settled', 'parked', 'atm']
      const [data, timestamp, settled, parked, tries] = await store.redis.hmget(keys.sendJob(id), ...fields)
      const message = parseJson(data) as { sendAt?: unknown } | null | undefined
      const person = recipientIn(message)
      const hasJoined = typeof settled !== 'string' && (message?.sendAt === undefined || typeof parked === 'string')
      if (person === undefined || !hasJoined) return []
      const place = await store.redis.lpos(keys.lane(person), id)
      const untried = Number(tries ?? 0) > 0 ? (0 as const) : (1 as const)
      const parkedAt = parked === '1' ? score : 0
      return place === null ? [{ touser: person, id, timestamp: Number(timestamp), untried, parkedAt }] : []
    }),
  )
  return read.flat()
}

function* pages<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += PAGE) yield all.slice(from, from + PAGE)
}
