/** The events of an app that its receiver has not taken: what is to be told, and what was given up. */
import { cleanErrmsg, isMessageId } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { type Place, placesAfter } from '../dead-letters/places.ts'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

export interface ListedEvent {
  /** `webhook-id` of its calls. */
  readonly id: string
  readonly type: string
  /** Null for an event of the app, and where another program has spoilt the event. */
  readonly messageId: string | null
  /** When it became true. All times are epoch ms by Redis's clock. */
  readonly at: number
  /** `delayed`: tried before, or being told now. */
  readonly state: 'delayed' | 'waiting' | 'given-up'
  /** Tries made. */
  readonly attempts: number
  /** Why the last try failed, or why it was given up; null before that. */
  readonly error: string | null
  /** Of a delayed one: when it is tried, or taken for the event of a worker that died. */
  readonly dueAt: number | null
  readonly givenUpAt: number | null
}

interface Found {
  readonly id: string
  readonly state: ListedEvent['state']
  readonly dueAt?: number
  readonly givenUpAt?: number
}

const CHUNK = 100
/** The score of a delayed job holds its time in the bits above these. */
const DELAYED_FACTOR = 4096

/**
 * Those that were tried come first, because they tell why the others wait: the delayed ones, the one that is due last first, then the
 * waiting ones and the given-up ones, each newest first. Events move meanwhile: none is handed over twice, and one that a worker takes up
 * during the walk may be missing.
 */
export async function* walkEvents(
  store: Store,
  appid: string,
  { onlyGivenUp }: { readonly onlyGivenUp: boolean },
): AsyncGenerator<ListedEvent> {
  const { callbackDelayed, callbackFailed } = appKeys(appid)
  const delayed = (found: Place): Found => ({
    id: found.id,
    state: 'delayed',
    dueAt: Math.floor(found.deadAt / DELAYED_FACTOR),
  })
  const givenUp = ({ id, deadAt }: Place): Found => ({ id, state: 'given-up', givenUpAt: deadAt })
  const sources = onlyGivenUp ? [] : [sorted(store, callbackDelayed, delayed), waiting(store, appid)]
  const seen = new Set<string>()
  for (const source of [...sources, sorted(store, callbackFailed, givenUp)]) {
    for await (const page of source) {
      const unseen = page.filter(({ id }) => !seen.has(id))
      for (const { id } of unseen) seen.add(id)
      const events = await Promise.all(unseen.map((found) => readEvent(store, appid, found)))
      yield* events.filter((event) => event !== null)
    }
  }
}

async function* sorted(store: Store, key: string, foundAt: (place: Place) => Found): AsyncGenerator<Found[]> {
  let at: Place | null = null
  for (;;) {
    const places: Place[] = await placesAfter(store, key, { at, filter: {}, wanted: CHUNK })
    yield places.map(foundAt)
    at = places.at(-1) ?? null
    if (places.length < CHUNK) return
  }
}

/** From the left, where events are added. The list moves at both ends: the walk goes on behind the event at which it stands. */
async function* waiting({ redis }: Store, appid: string): AsyncGenerator<Found[]> {
  const { callbackWait } = appKeys(appid)
  let begin = 0
  for (;;) {
    const ids = await redis.lrange(callbackWait, begin, begin + CHUNK - 1)
    yield ids.map((id) => ({ id, state: 'waiting' }))
    const last = ids.at(-1)
    if (last === undefined || ids.length < CHUNK) return
    const at = await redis.lpos(callbackWait, last)
    begin = at === null ? begin : at + 1
  }
}

/** Null for one whose job somebody has removed. */
async function readEvent({ redis }: Store, appid: string, found: Found): Promise<ListedEvent | null> {
  const { id, state, dueAt = null, givenUpAt = null } = found
  const { name, data, timestamp, atm, failedReason } = await redis.hgetall(appKeys(appid).callbackJob(id))
  if (name === undefined) return null
  const of = (parseJson(data) as { id?: unknown } | null | undefined)?.id
  return {
    id,
    type: name,
    messageId: typeof of === 'string' && isMessageId(of) ? of : null,
    at: Number(timestamp ?? 0),
    state,
    attempts: Number(atm ?? 0),
    // The workers write nothing else, and another program may have.
    error: failedReason === undefined ? null : cleanErrmsg(failedReason),
    dueAt,
    givenUpAt,
  }
}
