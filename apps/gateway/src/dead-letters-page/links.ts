/** The addresses of the operator's page. All of its state stands in them, so that links, forms and bookmarks work without JavaScript. */
import type { WindowState } from '@wechat-outbox/messages'
import type { Language } from './language.ts'

export const DEAD_LETTERS_PATH = '/dead-letters'

/**
 * Which letters are shown. One code or one reason, and one person: each has an index, so that a page costs what a page costs. A reason by
 * its name and the state of windows have none: there letters are looked at, a bounded number for a page.
 */
export interface ShownFilter {
  /** An errcode as text, or the name of a reason without one. */
  readonly errcode?: string | undefined
  readonly touser?: string | undefined
  /** Of the reply window of its person. */
  readonly window?: WindowState | undefined
  /** Epoch milliseconds, both included. */
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** What every address carries on. */
export interface Place {
  readonly appid: string | undefined
  /** Where the reader has chosen one. */
  readonly lang: Language | undefined
}

export type Parameters = Readonly<Record<string, string | number | undefined>>

export function hrefOf(path: string, place: Place, parameters: Parameters = {}): string {
  const given = Object.entries({ app: place.appid, ...parameters, lang: place.lang })
  const query = new URLSearchParams(
    given.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )
  return `${DEAD_LETTERS_PATH}${path}${query.size === 0 ? '' : `?${query.toString()}`}`
}

export function filterParameters({ errcode, touser, window, since, until }: ShownFilter): Parameters {
  return { errcode, touser, window, since: isoOf(since), until: isoOf(until) }
}

const isoOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString()
