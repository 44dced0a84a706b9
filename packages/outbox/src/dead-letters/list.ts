/** What an operator does with dead letters: list them, look at one, have it replayed, discard it. */
import { type DeadLetter, isDeadLetterId, replayIdOf, type StatusReport } from '@wechat-outbox/messages'
import { type JobHash, parseJson, readJobHash } from '../bullmq/job-hash.ts'
import { invalid } from '../errors.ts'
import { appKeys, DEAD_LETTER_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { discardDeadLetter } from './discard.ts'

export interface ListFilter {
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

/** Ids asked for at once. */
const CHUNK = 100
/** Ids looked at for one page, beyond its own: where jobs were removed by hand, a page may end early, with a `next`. */
const LOOKED_MAX = 2000

/** Newest first. Costs what a page costs: every filter has an index of its own, walked from the cursor on. */
export async function listDeadLetters(store: Store, appid: string, filter: ListFilter): Promise<DeadLetterPage> {
  const index = indexFor(appid, filter)
  const limit = filter.limit ?? 50
  const items: ListedDeadLetter[] = []
  let at = readCursor(filter.cursor)
  for (let looked = 0; looked < limit + LOOKED_MAX; looked += CHUNK) {
    // One more than fits tells whether there is a next page.
    const wanted = Math.min(CHUNK, limit + 1 - items.length)
    const places = await placesAfter(store, index, { at, filter, wanted })
    const letters = await Promise.all(places.map(({ id }) => readLetter(store, appid, id)))
    // An entry whose job is gone was cleaned by hand; so it leaves the index.
    const gone = places.filter((_, position) => letters[position] === null).map(({ id }) => id)
    if (gone.length > 0) await store.redis.zrem(index, ...gone)
    for (const [position, place] of places.entries()) {
      const letter = letters[position] ?? null
      if (letter !== null && items.length === limit) return { items, next: writeCursor(at) }
      if (letter !== null) items.push(letter)
      at = place
    }
    if (places.length < wanted) return { items, next: null }
  }
  return { items, next: writeCursor(at) }
}

function indexFor(appid: string, { errcode, name, touser }: ListFilter): string {
  const keys = appKeys(appid)
  const reason = errcode === undefined ? name : String(errcode)
  if (touser === undefined) return reason === undefined ? keys.deadByTime : keys.deadByReason(reason)
  return reason === undefined ? keys.deadByPerson(touser) : keys.deadByPersonAndReason(touser, reason)
}

/** A place in an index, and so in the walk over it. */
export interface Place {
  readonly deadAt: number
  readonly id: string
}

/** The next places of an index, newest first. */
export async function placesAfter(
  store: Store,
  index: string,
  walk: { at: Place | null; filter: { since?: number | undefined; until?: number | undefined }; wanted: number },
): Promise<Place[]> {
  const { at, filter, wanted } = walk
  const args = [at?.deadAt ?? 0, at?.id ?? '', filter.since ?? '-inf', filter.until ?? '+inf', wanted]
  const found = await runScript<string[]>(store.redis, { name: 'dead-page', keys: [index], args })
  const places: Place[] = []
  for (let n = 0; n + 1 < found.length; n += 2) places.push({ id: found[n] ?? '', deadAt: Number(found[n + 1]) })
  return places
}

/** A cursor is a place. It stays good whatever becomes of the letter there. */
function writeCursor(place: Place | null): string | null {
  return place === null ? null : Buffer.from(`${place.deadAt}.${place.id}`).toString('base64url')
}

function readCursor(cursor: string | undefined): Place | null {
  if (cursor === undefined) return null
  const text = /^[\w-]{1,1000}$/.test(cursor) ? Buffer.from(cursor, 'base64url').toString() : ''
  // A job that was added by hand has whatever id it was given.
  const [, deadAt, id] = /^(\d{1,15})\.(d-.+)$/s.exec(text) ?? []
  if (deadAt === undefined || id === undefined)
    throw invalid([{ path: 'cursor', message: 'is not one that was given' }])
  return { deadAt: Number(deadAt), id }
}

function listed(id: string, job: JobHash): ListedDeadLetter {
  return { id, ...(job.data as DeadLetter) }
}

export async function readDeadLetter(store: Store, appid: string, id: string): Promise<ListedDeadLetter | null> {
  return isDeadLetterId(id) ? readLetter(store, appid, id) : null
}

async function readLetter(store: Store, appid: string, id: string): Promise<ListedDeadLetter | null> {
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
    const code = error instanceof Error && 'code' in error ? Number(error.code) : 0
    // Gone since we looked: replayed, or discarded.
    if (code === -1) return rememberedReplay(store, appid, id)
    // Not in `failed`: somebody else has asked already.
    if (code !== -3) throw error
  }
  return { kind: 'requested', id: replayIdOf(id), replayOf: id }
}

async function rememberedReplay(store: Store, appid: string, id: string): Promise<ReplayRequest> {
  const ended = parseJson(await store.redis.get(appKeys(appid).ended(`m-${id.slice(2)}`))) as StatusReport | undefined
  if (ended?.replayedAs === undefined) return { kind: 'unknown' }
  return { kind: 'requested', id: ended.replayedAs, replayOf: id }
}

/** Removes dead letters older than `before` (epoch ms). Returns how many went. */
export async function expireDeadLetters(store: Store, at: { appid: string; before: number }): Promise<number> {
  const keys = appKeys(at.appid)
  let expired = 0
  let left = 0
  for (;;) {
    const ids = await store.redis.zrangebyscore(keys.deadByTime, '-inf', at.before, 'LIMIT', left, CHUNK)
    if (ids.length === 0) return expired
    for (const id of ids) {
      const result = await discardDeadLetter(store, { appid: at.appid, id }, 0)
      if (result === 'discarded') expired += 1
      else if (result === 'unknown') await store.redis.zrem(keys.deadByTime, id)
      else left += 1
    }
  }
}
