/** What an operator does with dead letters: list them, look at one, have it replayed, discard it. */
import { type DeadLetter, isDeadLetterId, replayIdOf, type StatusReport } from '@wechat-outbox/messages'
import { invalid } from './errors.ts'
import { type JobHash, parseJson, readJobHash } from './job-hash.ts'
import type { Judge } from './judge.ts'
import { appKeys, DEAD_LETTER_QUEUE } from './keys.ts'
import { indexesOf } from './mover.ts'
import { reportOfDeadLetter } from './status.ts'
import { removeJob, type Store } from './store.ts'

export interface DeadLetterFilter {
  readonly errcode?: number
  /** A reason of ours that has no errcode: `expired`, `unsure`, `invalid-message`. */
  readonly name?: string
  readonly touser?: string
  /** Epoch milliseconds, both included. */
  readonly since?: number
  readonly until?: number
  /** 1 to 1000; 50 by default. */
  readonly limit?: number
  /** `next` of the page before. */
  readonly cursor?: string
}

export interface ListedDeadLetter extends DeadLetter {
  readonly id: string
}

export interface DeadLetterPage {
  readonly items: readonly ListedDeadLetter[]
  /** Where the next page begins; null at the end. */
  readonly next: string | null
}

/** Ids looked at for one page. A filter that meets little ends a page early, with a `next` to go on from. */
const SCANNED_MAX = 2000
const CHUNK = 100

/** Newest first. Costs what a page costs: the narrowest index is walked from the cursor on. */
export async function listDeadLetters(store: Store, appid: string, filter: DeadLetterFilter): Promise<DeadLetterPage> {
  const { index, reason } = indexFor(appid, filter)
  const limit = filter.limit ?? 50
  const from = readCursor(filter.cursor)
  const max = from === null ? (filter.until ?? '+inf') : Math.min(from.deadAt, filter.until ?? Infinity)
  const items: ListedDeadLetter[] = []
  const gone: string[] = []
  let walked = from
  const page = async (next: Cursor | null): Promise<DeadLetterPage> => {
    // An entry whose job is gone was cleaned by hand. It leaves the index only now: the walk counts its places.
    if (gone.length > 0) await store.redis.zrem(index, ...gone)
    return { items, next: next === null ? null : `${next.deadAt}.${next.id}` }
  }
  for (let offset = 0; offset < SCANNED_MAX; offset += CHUNK) {
    const range = ['LIMIT', offset, CHUNK] as const
    const found = await store.redis.zrevrangebyscore(index, max, filter.since ?? '-inf', 'WITHSCORES', ...range)
    const places = pairs(found).filter((place) => isAfter(place, from))
    const letters = await Promise.all(places.map(({ id }) => readDeadLetter(store, appid, id)))
    for (const [position, place] of places.entries()) {
      const letter = letters[position] ?? null
      if (letter === null) gone.push(place.id)
      else if (reason === undefined || reasonKey(letter) === reason) {
        if (items.length === limit) return page(walked)
        items.push(letter)
      }
      walked = place
    }
    if (found.length < 2 * CHUNK) return page(null)
  }
  return page(walked)
}

/** The narrowest index that holds what is asked for; what it leaves open, the walk compares. */
function indexFor(
  appid: string,
  { errcode, name, touser }: DeadLetterFilter,
): { index: string; reason: string | undefined } {
  const keys = appKeys(appid)
  const reason = errcode === undefined ? name : String(errcode)
  if (touser !== undefined) return { index: keys.deadByPerson(touser), reason }
  return { index: reason === undefined ? keys.deadByTime : keys.deadByReason(reason), reason: undefined }
}

function reasonKey(letter: DeadLetter): string {
  return String(letter.reason.errcode ?? letter.reason.name)
}

/** A place in an index, and so in the walk over it. */
interface Cursor {
  readonly deadAt: number
  readonly id: string
}

function pairs(withScores: readonly string[]): Cursor[] {
  const places: Cursor[] = []
  for (let at = 0; at + 1 < withScores.length; at += 2) {
    places.push({ id: withScores[at] ?? '', deadAt: Number(withScores[at + 1]) })
  }
  return places
}

/** Redis orders equal scores by member; walked backwards, what comes later is smaller. */
function isAfter(place: Cursor, from: Cursor | null): boolean {
  return from === null || place.deadAt < from.deadAt || (place.deadAt === from.deadAt && place.id < from.id)
}

function readCursor(cursor: string | undefined): Cursor | null {
  if (cursor === undefined) return null
  const [, deadAt, id] = /^(\d{1,16})\.(d-.{1,80})$/.exec(cursor) ?? []
  if (deadAt === undefined || id === undefined)
    throw invalid([{ path: 'cursor', message: 'is not one that was given' }])
  return { deadAt: Number(deadAt), id }
}

function listed(id: string, job: JobHash): ListedDeadLetter {
  return { id, ...(job.data as DeadLetter) }
}

export async function readDeadLetter(store: Store, appid: string, id: string): Promise<ListedDeadLetter | null> {
  if (!isDeadLetterId(id)) return null
  const job = readJobHash(await store.redis.hgetall(appKeys(appid).deadJob(id)))
  return job === null ? null : listed(id, job)
}

export type ReplayRequest =
  | { readonly kind: 'requested'; readonly id: string; readonly replayOf: string }
  | { readonly kind: 'unknown' }

/**
 * Asks for a replay by retrying the dead letter's job; a worker carries it out, at the rate it is limited to. Asked twice,
 * or after it was done, the answer is the same.
 */
export async function requestReplay(store: Store, appid: string, id: string): Promise<ReplayRequest> {
  const keys = appKeys(appid)
  const job = readJobHash(await store.redis.hgetall(keys.deadJob(id)))
  if (job === null) return rememberedReplay(store, appid, id)
  if ('unreadable' in (job.data as DeadLetter).message) {
    throw invalid([{ path: 'message', message: 'cannot be read, so it cannot be replayed' }])
  }
  const backend = store.backend(appid, DEAD_LETTER_QUEUE)
  try {
    // It only needs to know which job and where it goes in the queue.
    await backend.retryFinishedJob({ id, opts: {} } as never, 'failed', {})
  } catch (error) {
    // Not in `failed`: somebody else has asked already, or it has just been carried out.
    if (!(error instanceof Error && 'code' in error && [-1, -3].includes(Number(error.code)))) throw error
  }
  return { kind: 'requested', id: replayIdOf(id), replayOf: id }
}

async function rememberedReplay(store: Store, appid: string, id: string): Promise<ReplayRequest> {
  const ended = parseJson(await store.redis.get(appKeys(appid).ended(`m-${id.slice(2)}`))) as StatusReport | undefined
  if (ended?.replayedAs === undefined) return { kind: 'unknown' }
  return { kind: 'requested', id: ended.replayedAs, replayOf: id }
}

export type Discarded = 'discarded' | 'being-replayed' | 'unknown'

/** Removes a dead letter for good. `rememberMs`: for how long `status` still tells that it was; 0 for not at all. */
export function discardDeadLetter(
  judge: Judge,
  letter: { appid: string; id: string },
  rememberMs: number,
): Promise<Discarded> {
  const { appid, id } = letter
  const keys = appKeys(appid)
  return judge.step<Discarded>([keys.deadJob(id), keys.deadLock(id)], async (store) => {
    const backend = store.backend(appid, DEAD_LETTER_QUEUE)
    const [fields, failed] = await Promise.all([
      store.redis.hgetall(keys.deadJob(id)),
      store.redis.zscore(keys.deadFailed, id),
    ])
    const job = readJobHash(fields)
    if (job === null) return { result: 'unknown' }
    if (failed === null) return { result: 'being-replayed' }
    const data = job.data as DeadLetter
    const ended: StatusReport = { ...reportOfDeadLetter(appid, data), status: 'discarded' }
    return {
      result: 'discarded',
      build(multi) {
        removeJob(multi, backend, id)
        for (const index of indexesOf(keys, data)) multi.zrem(index, id)
        if (rememberMs > 0) multi.set(keys.ended(data.messageId), JSON.stringify(ended), 'PX', rememberMs)
      },
    }
  })
}

/** Removes dead letters older than `before` (epoch ms). Returns how many went. */
export async function expireDeadLetters(
  store: Store,
  judge: Judge,
  at: { appid: string; before: number },
): Promise<number> {
  const keys = appKeys(at.appid)
  let expired = 0
  let left = 0
  for (;;) {
    const ids = await store.redis.zrangebyscore(keys.deadByTime, '-inf', at.before, 'LIMIT', left, CHUNK)
    if (ids.length === 0) return expired
    for (const id of ids) {
      const result = await discardDeadLetter(judge, { appid: at.appid, id }, 0)
      if (result === 'discarded') expired += 1
      else if (result === 'unknown') await store.redis.zrem(keys.deadByTime, id)
      else left += 1
    }
  }
}
