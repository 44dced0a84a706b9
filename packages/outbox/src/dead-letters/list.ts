/** What an operator does with dead letters: list them, look at one, have it replayed, discard it. */
import {
  type DeadLetter,
  type DeadLetterFilter,
  isDeadLetterId,
  matchesFilter,
  replayIdOf,
  type StatusReport,
} from '@wechat-outbox/messages'
import { type JobHash, parseJson, readJobHash } from '../bullmq/job-hash.ts'
import { collectSpoilt, invalid } from '../errors.ts'
import { type AppKeys, appKeys, DEAD_LETTER_QUEUE } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { discardDeadLetter } from './discard.ts'
import { wholeLetterIn } from './letter.ts'
import { type IndexPlace, indexesFor, isCode, newestFirst, type Place } from './places.ts'
import { type NotReplayable, whyNotReplayable } from './replayable.ts'
import { judgeWindows } from './window-filter.ts'

export interface ListFilter extends Omit<DeadLetterFilter, 'limit'> {
  /** Letters of a page: 1 to 1000; 50 by default. */
  readonly limit?: number | undefined
  /** `next` of the page before. */
  readonly cursor?: string | undefined
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
/**
 * Letters looked at for one page, beyond its own: where jobs were removed by hand, or no index tells what a filter leaves out, a page may
 * end early, or be empty, with a `next`.
 */
const LOOKED_MAX = 2000
/** One for each person with each code; where that is more, letters of the people are looked at one by one. */
const INDEXES_MAX = 100

/** Newest first. Costs what a page costs: codes, people and both have indexes, walked from the cursor on. */
export async function listDeadLetters(store: Store, appid: string, filter: ListFilter): Promise<DeadLetterPage> {
  const { indexes, isExact } = indexesOfList(appKeys(appid), filter)
  const limit = filter.limit ?? 50
  const items: ListedDeadLetter[] = []
  // One more than fits tells whether there is a next page.
  const wanted = (): number => Math.min(CHUNK, isExact ? limit + 1 - items.length : CHUNK)
  let at = readCursor(filter.cursor)
  const walk = newestFirst(store, indexes, { at, filter, wanted: wanted() })
  for (let looked = 0; looked < limit + LOOKED_MAX; looked += CHUNK) {
    const asked = wanted()
    const places = await take(walk, asked)
    const letters = await Promise.all(places.map(({ id }) => readLetter(store, appid, id)))
    await forget(
      store,
      places.filter((_, position) => letters[position] === null),
    )
    const meant = letters.map((letter) => (letter !== null && (isExact || isMeant(filter, letter)) ? letter : null))
    const isInWindow = await judgeWindows(store, appid, { window: filter.window, letters: meant })
    for (const [position, place] of places.entries()) {
      const letter = meant[position] ?? null
      if (letter !== null && isInWindow(letter)) {
        if (items.length === limit) return { items, next: writeCursor(at) }
        items.push(letter)
      }
      at = place
    }
    if (places.length < asked) return { items, next: null }
  }
  return { items, next: writeCursor(at) }
}

/** The indexes that hold what a filter means, and whether they hold nothing else. */
function indexesOfList(keys: AppKeys, filter: ListFilter): { indexes: readonly string[]; isExact: boolean } {
  const { errcode, touser, notTouser, window, acceptedSince, acceptedUntil } = filter
  const areCodes = errcode === undefined || errcode.every(isCode)
  const isExact = areCodes && [notTouser, window, acceptedSince, acceptedUntil].every((given) => given === undefined)
  if (touser === undefined || errcode === undefined) return { indexes: indexesFor(keys, filter), isExact }
  const pairs = [...new Set(touser)].flatMap((person) => [...new Set(errcode)].map((code) => [person, code] as const))
  if (!areCodes || pairs.length > INDEXES_MAX) return { indexes: indexesFor(keys, filter), isExact: false }
  return { indexes: pairs.map(([person, code]) => keys.deadByPersonAndReason(person, code)), isExact }
}

async function take(walk: AsyncGenerator<IndexPlace>, count: number): Promise<IndexPlace[]> {
  const taken: IndexPlace[] = []
  while (taken.length < count) {
    const { value, done } = await walk.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

/** Entries whose jobs are gone were cleaned by hand; so they leave the index. */
async function forget({ redis }: Store, gone: readonly IndexPlace[]): Promise<void> {
  const byIndex = Map.groupBy(gone, ({ index }) => index)
  await Promise.all([...byIndex].map(([index, places]) => redis.zrem(index, ...places.map(({ id }) => id))))
}

function isMeant(filter: ListFilter, letter: ListedDeadLetter): boolean {
  return wholeLetterIn(letter) !== null && matchesFilter(filter, letter)
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
  | { readonly kind: 'not-replayable'; readonly why: NotReplayable }
  | { readonly kind: 'unknown' }

/**
 * Asks for a replay by retrying the dead letter's job; a worker carries it out, at the rate it is limited to. Asked twice,
 * or after it was done, the answer is the same.
 */
export async function requestReplay(store: Store, appid: string, id: string): Promise<ReplayRequest> {
  const keys = appKeys(appid)
  const job = readJobHash(await store.redis.hgetall(keys.deadJob(id)))
  if (job === null) return rememberedReplay(store, appid, id)
  const why = whyNotReplayable(job.data)
  if (why !== undefined) return { kind: 'not-replayable', why }
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

/**
 * Removes dead letters older than `before` (epoch ms). Returns how many went.
 * @throws when the others have gone, where another program has spoilt the key of one
 */
export async function expireDeadLetters(store: Store, at: { appid: string; before: number }): Promise<number> {
  const keys = appKeys(at.appid)
  let expired = 0
  let left = 0
  const spoilt = collectSpoilt()
  for (;;) {
    const ids = await store.redis.zrangebyscore(keys.deadByTime, '-inf', at.before, 'LIMIT', left, CHUNK)
    if (ids.length === 0) break
    for (const id of ids) {
      const result = await discardDeadLetter(store, { appid: at.appid, id }, 0).catch(spoilt.note(id))
      if (result === 'discarded') expired += 1
      else if (result === 'unknown') await store.redis.zrem(keys.deadByTime, id)
      else left += 1
    }
  }
  spoilt.throwNoted()
  return expired
}
