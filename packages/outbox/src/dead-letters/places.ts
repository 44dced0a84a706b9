/** Walks through the indexes of dead letters, newest first: through one, or through several as if they were one. */
import type { DeadLetterFilter } from '@wechat-outbox/messages'
import type { AppKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** A place in an index, and so in the walk over it. */
export interface Place {
  readonly deadAt: number
  readonly id: string
}

/** The fewest indexes in which all that a filter means stand, each letter in one of them. */
export function indexesFor(keys: AppKeys, { touser, errcode }: DeadLetterFilter): string[] {
  if (touser !== undefined) return [...new Set(touser)].map(keys.deadByPerson)
  if (errcode?.every(isCode)) return [...new Set(errcode)].map(keys.deadByReason)
  return [keys.deadByTime]
}

/** A reason that is given by its name may stand under an errcode. */
export const isCode = (reason: string): boolean => /^-?\d+$/.test(reason)

interface Walk {
  /** Null: from the newest on. */
  readonly at: Place | null
  readonly filter: { readonly since?: number | undefined; readonly until?: number | undefined }
  readonly wanted: number
}

/** The next places of an index, newest first. */
export async function placesAfter(store: Store, index: string, { at, filter, wanted }: Walk): Promise<Place[]> {
  const args = [at?.deadAt ?? 0, at?.id ?? '', filter.since ?? '-inf', filter.until ?? '+inf', wanted]
  const found = await runScript<string[]>(store.redis, { name: 'dead-page', keys: [index], args })
  const places: Place[] = []
  for (let n = 0; n + 1 < found.length; n += 2) places.push({ id: found[n] ?? '', deadAt: Number(found[n + 1]) })
  return places
}

export interface IndexPlace extends Place {
  readonly index: string
}

/** What has been read of one index and not been handed over. */
interface Ahead {
  readonly index: string
  at: Place | null
  places: Place[]
  isOver: boolean
  wanted: number
}

/** Of each of many indexes, so that a page reads little more than it shows wherever its letters stand. */
const AHEAD_MIN = 16
const AHEAD_MAX = 100

/** The places of several indexes, newest first. `wanted` is how many a page is likely to take. */
export async function* newestFirst(
  store: Store,
  indexes: readonly string[],
  { at, filter, wanted }: Walk,
): AsyncGenerator<IndexPlace> {
  const each = Math.min(wanted, Math.max(AHEAD_MIN, Math.ceil((2 * wanted) / indexes.length)))
  const all: Ahead[] = indexes.map((index) => ({ index, at, places: [], isOver: false, wanted: each }))
  const readOn = async (one: Ahead): Promise<void> => {
    one.places = await placesAfter(store, one.index, { at: one.at, filter, wanted: one.wanted })
    one.isOver = one.places.length < one.wanted
    one.at = one.places.at(-1) ?? one.at
    one.wanted = Math.min(AHEAD_MAX, 2 * one.wanted)
  }
  for (;;) {
    await Promise.all(all.filter(({ places, isOver }) => places.length === 0 && !isOver).map(readOn))
    let newest: Ahead | undefined
    for (const one of all) if (isNewer(one.places[0], newest?.places[0])) newest = one
    const place = newest?.places.shift()
    if (newest === undefined || place === undefined) return
    yield { ...place, index: newest.index }
  }
}

/** Redis orders members of one score by their bytes. */
function isNewer(one: Place | undefined, other: Place | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined
  if (one.deadAt !== other.deadAt) return one.deadAt > other.deadAt
  return Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)) > 0
}
