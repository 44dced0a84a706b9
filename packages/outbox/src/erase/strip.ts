/**
 * Content does not stay for longer than it is needed. With `RETAIN_CONTENT=false` a delivered message loses its own in the step that
 * settles it; what ends without a run of its own – a newer message has replaced it, another program has completed its job, or it was
 * delivered while content was still kept – loses it in the next sweep, which also takes it from dead letters that are older than
 * `RETAIN_DEAD_CONTENT_DAYS`. Whom it was for, codes, times and metadata stay, so that `status` reports as much as before.
 */
import {
  type DeadLetter,
  isContentRemoved,
  isRemovedText,
  type RemovedContent,
  readJobData,
  withoutContent,
  withoutUnreadable,
} from '@wechat-outbox/messages'
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { letterIn } from '../dead-letters/letter.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** How long what has ended is kept. */
export interface Retain {
  readonly deliveredMs: number
  readonly deliveredMax: number
  readonly deadMs: number
  /** Whether delivered messages keep their content meanwhile. True by default. */
  readonly content?: boolean | undefined
  /** For how long dead letters keep theirs. Default: as long as they are kept. */
  readonly deadContentMs?: number | undefined
}

/** Jobs in one script, which takes Redis a few milliseconds. */
const CHUNK = 200
/** Jobs looked at in one sweep, of each kind. The rest is there for the next. */
const LOOKED_MAX = 50_000
/** Jobs are completed at Redis's time as workers know it, so the next look begins a little before the end of the last one. */
const OVERLAP_MS = 10_000
/** A letter may come with an old time of death, and an entry whose letter is gone may hide that: then a look finds it all the same. */
const LOOK_ANYWAY_MS = 3_600_000

/** What stays of a message's job data. */
export function dataWithoutContent({ name, data }: { readonly name: string; readonly data: unknown }): RemovedContent {
  const read = readJobData(data)
  if (read.kind === 'ok') return withoutContent(read.data)
  if (read.kind === 'content-removed') return read.data
  return withoutUnreadable({ touser: recipientIn(data) ?? '', msgtype: name })
}

/** What stays of a dead letter. What nobody could read stays unreadable. */
function letterWithoutContent(letter: DeadLetter): DeadLetter {
  const { message } = letter
  if ('unreadable' in message) {
    const touser = recipientIn(message.unreadable) ?? ''
    return { ...letter, message: { unreadable: withoutUnreadable({ touser, msgtype: '' }) } }
  }
  return { ...letter, message: dataWithoutContent({ name: message.msgtype, data: message }) }
}

export interface Stripper {
  /** Removes what is not to be kept any more. Returns from how many jobs. */
  strip(): Promise<number>
}

export interface StripperOptions {
  readonly store: Store
  readonly appid: string
  readonly retain: Retain
}

export function createStripper({ store, appid, retain }: StripperOptions): Stripper {
  const keys = appKeys(appid)
  let delivered: Walk = { from: Number.NEGATIVE_INFINITY, passed: 0 }
  let lettersLookedAt = Number.NEGATIVE_INFINITY
  const { content = true, deadMs, deadContentMs = deadMs } = retain

  async function stripDelivered(): Promise<number> {
    const until = store.clock.now()
    let stripped = 0
    for (let looked = 0; looked < LOOKED_MAX; looked += CHUNK) {
      const page = await nextPage(store, keys.sendCompleted, { walk: delivered, until })
      stripped += await stripJobs(store, keys, page.entries)
      delivered = page.walk
      if (page.entries.length < CHUNK) {
        delivered = { from: until - OVERLAP_MS, passed: 0 }
        break
      }
    }
    return stripped
  }

  async function stripLetters(): Promise<number> {
    const until = store.clock.now() - deadContentMs
    const [letters, without] = await Promise.all([
      store.redis.zcount(keys.deadByTime, '-inf', until),
      store.redis.zcount(keys.deadWithoutContent, '-inf', until),
    ])
    if (letters === without && performance.now() - lettersLookedAt < LOOK_ANYWAY_MS) return 0
    // Of letters that were removed while their content was.
    await store.redis.zremrangebyscore(keys.deadWithoutContent, '-inf', store.clock.now() - deadMs - OVERLAP_MS)
    let walk: Walk = { from: Number.NEGATIVE_INFINITY, passed: 0 }
    let stripped = 0
    for (let looked = 0; looked < LOOKED_MAX; looked += CHUNK) {
      const page = await nextPage(store, keys.deadByTime, { walk, until })
      stripped += await stripDead(store, keys, page.entries)
      walk = page.walk
      if (page.entries.length < CHUNK) {
        lettersLookedAt = performance.now()
        break
      }
    }
    return stripped
  }

  return {
    async strip() {
      const ofDelivered = content ? 0 : await stripDelivered()
      // Letters go as a whole at the same time, or before.
      return ofDelivered + (deadContentMs < deadMs ? await stripLetters() : 0)
    },
  }
}

/** Where a walk from the oldest on is: at a time, and so many entries of that time have been passed. */
interface Walk {
  readonly from: number
  readonly passed: number
}

interface Entry {
  readonly id: string
  readonly at: number
}

async function nextPage(
  store: Store,
  key: string,
  { walk, until }: { walk: Walk; until: number },
): Promise<{ entries: Entry[]; walk: Walk }> {
  const from = walk.from === Number.NEGATIVE_INFINITY ? '-inf' : walk.from
  const found = await store.redis.zrangebyscore(key, from, until, 'WITHSCORES', 'LIMIT', walk.passed, CHUNK)
  const entries: Entry[] = []
  for (let n = 0; n + 1 < found.length; n += 2) entries.push({ id: found[n] ?? '', at: Number(found[n + 1]) })
  const last = entries.at(-1)
  if (last === undefined) return { entries, walk }
  const ofLast = entries.filter(({ at }) => at === last.at).length
  return { entries, walk: { from: last.at, passed: last.at === walk.from ? walk.passed + ofLast : ofLast } }
}

async function stripJobs(store: Store, keys: AppKeys, entries: readonly Entry[]): Promise<number> {
  const read = await Promise.all(entries.map(({ id }) => store.redis.hmget(keys.sendJob(id), 'data', 'name')))
  const args = entries.flatMap(({ id }, n) => {
    const [data, name] = read[n] ?? []
    if (typeof data !== 'string' || isRemovedText(data)) return []
    return [id, data, JSON.stringify(dataWithoutContent({ name: name ?? '', data: parseJson(data) })), '']
  })
  return change(store, keys, { jobs: keys.sendJobs, areLetters: false, args })
}

async function stripDead(store: Store, keys: AppKeys, entries: readonly Entry[]): Promise<number> {
  const known =
    entries.length === 0 ? [] : await store.redis.zmscore(keys.deadWithoutContent, ...entries.map(({ id }) => id))
  const left = entries.filter((_, n) => known[n] === null)
  const read = await Promise.all(left.map(({ id }) => store.redis.hget(keys.deadJob(id), 'data')))
  const gone = left.filter((_, n) => read[n] === null)
  // Removed by hand: it would be looked for in every sweep.
  if (gone.length > 0) await store.redis.zrem(keys.deadByTime, ...gone.map(({ id }) => id))
  const args = left.flatMap(({ id, at }, n) => {
    const data = read[n]
    const letter = typeof data === 'string' ? letterIn(parseJson(data)) : null
    if (typeof data !== 'string' || letter === null) return []
    return [id, data, isContentRemoved(letter) ? data : JSON.stringify(letterWithoutContent(letter)), at]
  })
  return change(store, keys, { jobs: keys.deadJobs, areLetters: true, args })
}

function change(
  store: Store,
  keys: AppKeys,
  { jobs, areLetters, args }: { jobs: string; areLetters: boolean; args: readonly (string | number)[] },
): Promise<number> | number {
  if (args.length === 0) return 0
  const call = { name: 'strip', keys: [keys.deadWithoutContent], args: [jobs, areLetters ? '1' : '', ...args] } as const
  return runScript<number>(store.redis, call)
}
