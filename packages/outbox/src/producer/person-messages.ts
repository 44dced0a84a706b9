/**
 * A person's messages, found without an index that every message would have to pay for. They stand in four places, read in this
 * order, each newest first: the lane has those that are open, the delayed jobs those that are scheduled, an index the dead
 * letters, and the completed jobs what was delivered. Two of the places hold everybody's, so a page looks at a bounded
 * number of jobs and may be empty, with a cursor for the next one.
 *
 * What is cancelled, replayed or discarded stands in no list: `status(id)` reports it. Nor does a scheduled message between
 * the moment at which it is due and its first turn.
 */
import type { MessageStatus, StatusReport } from '@wechat-outbox/messages'
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { wholeLetterIn } from '../dead-letters/letter.ts'
import { readDeadLetter } from '../dead-letters/list.ts'
import { type Place, placesAfter } from '../dead-letters/places.ts'
import { invalid } from '../errors.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { lookAtJob, reportOfDeadLetter } from './status.ts'

export const LISTED_STATUSES = [
  'scheduled',
  'queued',
  'held',
  'sending',
  'waiting-for-user',
  'retrying',
  'delivered',
  'dead',
] as const satisfies readonly MessageStatus[]

export interface PersonFilter {
  readonly touser: string
  /** Default: all of them. */
  readonly status?: readonly (typeof LISTED_STATUSES)[number][] | undefined
  /** Accepted then or later, in epoch milliseconds. */
  readonly since?: number | undefined
  /** Messages of a page: 1 to 1000; 50 by default. */
  readonly limit?: number | undefined
  /** `next` of the page before. */
  readonly cursor?: string | undefined
}

export interface MessagePage {
  readonly items: readonly StatusReport[]
  /** Where the next page begins; null at the end. */
  readonly next: string | null
}

/** Jobs looked at together. */
const CHUNK = 100
/** Jobs looked at for one page. */
const LOOKED_MAX = 1000

interface Asked {
  readonly store: Store
  readonly appid: string
  readonly keys: AppKeys
  readonly filter: PersonFilter
}

/** What stands at a place, where it is one of the person's messages, and the cursor of what follows it. */
interface Look {
  readonly report: StatusReport | null
  readonly at: string
}

interface Looks {
  readonly found: readonly Look[]
  readonly isOver: boolean
}

interface Source {
  readonly status: readonly MessageStatus[]
  /** The next ones after `at`, which is empty at the beginning. */
  read(asked: Asked, at: string): Promise<Looks>
}

const SOURCES: readonly Source[] = [
  { status: ['queued', 'held', 'waiting-for-user', 'sending', 'retrying', 'delivered', 'dead'], read: readLane },
  { status: ['scheduled'], read: (asked, at) => readSorted(asked, at, { key: asked.keys.sendDelayed, look: ownJob }) },
  {
    status: ['dead'],
    read: (asked, at) => readSorted(asked, at, { key: asked.keys.deadByPerson(asked.filter.touser), look: letter }),
  },
  {
    status: ['delivered'],
    read: (asked, at) => readSorted(asked, at, { key: asked.keys.sendCompleted, look: ownJob }),
  },
]

/** One page. @throws OutboxError WXO_INVALID for a cursor that was not given */
export async function listPersonMessages(store: Store, appid: string, filter: PersonFilter): Promise<MessagePage> {
  const asked: Asked = { store, appid, keys: appKeys(appid), filter }
  const limit = filter.limit ?? 50
  const items: StatusReport[] = []
  let looked = 0
  let { source, at } = readCursor(filter.cursor)
  for (;;) {
    const from = SOURCES[source]
    if (from === undefined) return { items, next: null }
    if (looked >= LOOKED_MAX) return { items, next: writeCursor(source, at) }
    const isWanted = filter.status?.some((status) => from.status.includes(status)) ?? true
    const { found, isOver } = isWanted ? await from.read(asked, at) : { found: [], isOver: true }
    for (const { report, at: after } of found) {
      if (report !== null && from.status.includes(report.status) && isMeant(filter, report)) {
        if (items.length === limit) return { items, next: writeCursor(source, at) }
        items.push(report)
      }
      at = after
    }
    looked += found.length
    if (isOver) {
      source += 1
      at = ''
    }
  }
}

function isMeant({ touser, status, since = 0 }: PersonFilter, report: StatusReport): boolean {
  const isAsked = status?.some((one) => one === report.status) ?? true
  return isAsked && report.touser === touser && Date.parse(report.acceptedAt) >= since
}

/** From the end of the lane to its beginning. A cursor is an id, and where it stood: the lane moves at both ends. */
async function readLane({ store, appid, keys, filter }: Asked, at: string): Promise<Looks> {
  const lane = keys.lane(filter.touser)
  const [, index = '', id = ''] = /^(\d{1,15})\.(.+)$/s.exec(at) ?? []
  const [length, position] = await Promise.all([store.redis.llen(lane), id === '' ? null : store.redis.lpos(lane, id)])
  const end = at === '' ? length : (position ?? Math.min(Number(index), length))
  if (end <= 0) return { found: [], isOver: true }
  const begin = Math.max(0, end - CHUNK)
  const ids = await store.redis.lrange(lane, begin, end - 1)
  const looks = await Promise.all(ids.map((one) => lookAtJob(store, appid, one)))
  const found = ids.map((one, n) => ({ report: looks[n]?.report ?? null, at: `${begin + n}.${one}` }))
  return { found: found.toReversed(), isOver: begin === 0 }
}

/** From the greatest score of a sorted set of jobs to the least. */
async function readSorted(
  asked: Asked,
  at: string,
  { key, look }: { key: string; look: (asked: Asked, id: string) => Promise<StatusReport | null> },
): Promise<Looks> {
  // Nobody dies or is delivered to before the message was accepted. The scores of delayed jobs are greater than any time.
  const { since } = asked.filter
  const places = await placesAfter(asked.store, key, { at: placeIn(at), filter: { since }, wanted: CHUNK })
  const reports = await Promise.all(places.map(({ id }) => look(asked, id)))
  const found = places.map(({ id, deadAt: score }, n) => ({ report: reports[n] ?? null, at: `${score}.${id}` }))
  return { found, isOver: places.length < CHUNK }
}

async function ownJob({ store, appid, keys, filter }: Asked, id: string): Promise<StatusReport | null> {
  const data = parseJson(await store.redis.hget(keys.sendJob(id), 'data'))
  if (recipientIn(data) !== filter.touser) return null
  return (await lookAtJob(store, appid, id))?.report ?? null
}

async function letter({ store, appid }: Asked, id: string): Promise<StatusReport | null> {
  const found = wholeLetterIn(await readDeadLetter(store, appid, id))
  return found === null ? null : reportOfDeadLetter(appid, found)
}

function placeIn(at: string): Place | null {
  const [, score, id] = /^(\d{1,17})\.(.+)$/s.exec(at) ?? []
  return score === undefined || id === undefined ? null : { deadAt: Number(score), id }
}

function writeCursor(source: number, at: string): string {
  return Buffer.from(`${source}.${at}`).toString('base64url')
}

function readCursor(cursor: string | undefined): { source: number; at: string } {
  if (cursor === undefined) return { source: 0, at: '' }
  const text = /^[\w-]{1,1000}$/.test(cursor) ? Buffer.from(cursor, 'base64url').toString() : ''
  const [, source, at = ''] = /^([0-3])\.(|\d{1,17}\..+)$/s.exec(text) ?? []
  if (source === undefined) throw invalid([{ path: 'cursor', message: 'is not one that was given' }])
  return { source: Number(source), at }
}
