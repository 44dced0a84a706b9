/**
 * The search for the dead letters that a filter means, page by page: through the indexes that hold the fewest others, each letter judged
 * by itself. A page takes Redis a few milliseconds, however many letters there are.
 */
import { type DeadLetter, type DeadLetterFilter, matchesFilter } from '@wechat-outbox/messages'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import { wholeLetterIn } from './letter.ts'
import { indexesFor, type Place, placesAfter } from './places.ts'
import { readLetterData } from './read.ts'
import { judgeWindows } from './window-filter.ts'

/** Letters looked at for one page. */
const PAGE = 250

/** Where a search is: in which of the indexes, and after which of its places. */
export interface Cursor {
  readonly index: number
  readonly at: Place | null
}

export interface Found {
  readonly id: string
  /** Null where there is none under an id that was given, or what stands there is no letter. */
  readonly letter: DeadLetter | null
}

export interface FoundPage {
  readonly found: readonly Found[]
  /** Undefined at the end. */
  readonly next: Cursor | undefined
}

export const START: Cursor = { index: 0, at: null }

/** A page of the letters that a filter means, in no order. */
export async function findLetters(
  store: Store,
  appid: string,
  { filter, from }: { filter: DeadLetterFilter; from: Cursor },
): Promise<FoundPage> {
  const matches = (letter: DeadLetter | null): boolean => letter !== null && matchesFilter(filter, letter)
  const page = await findIn(store, appid, { indexes: indexesFor(appKeys(appid), filter), from, filter, matches })
  const letters = page.found.map(({ letter }) => letter)
  const isInWindow = await judgeWindows(store, appid, { window: filter.window, letters })
  return { ...page, found: page.found.filter(({ letter }) => isInWindow(letter)) }
}

export interface Search {
  readonly indexes: readonly string[]
  readonly from: Cursor
  /** Bounds the time of death. */
  readonly filter?: DeadLetterFilter
  readonly matches: (letter: DeadLetter | null) => boolean
}

/** A page of what stands in some indexes. */
export async function findIn(
  store: Store,
  appid: string,
  { indexes, from, filter = {}, matches }: Search,
): Promise<FoundPage> {
  let { index, at } = from
  const places: Place[] = []
  while (index < indexes.length && places.length < PAGE) {
    const wanted = PAGE - places.length
    const more = await placesAfter(store, indexes[index] ?? '', { at, filter, wanted })
    places.push(...more)
    if (more.length < wanted) {
      index += 1
      at = null
    } else at = more.at(-1) ?? null
  }
  const letters = await Promise.all(places.map(({ id }) => readLetterData(store, appid, id)))
  const found = places
    .map(({ id }, n) => ({ id, letter: wholeLetterIn(letters[n]) }))
    .filter(({ letter }) => matches(letter))
  return { found, next: index < indexes.length ? { index, at } : undefined }
}
