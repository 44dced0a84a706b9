/** What the first page shows, read in a bounded number of commands however many dead letters there are. */
import {
  countAtOnce,
  type DeadLetterPage,
  type Hold,
  type LetterCount,
  type LetterCounts,
  type ListFilter,
  listDeadLetters,
  readHold,
  readServed,
  type Store,
} from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import type { ShownFilter } from './links.ts'

/** Letters on a page. */
const PAGE_LETTERS = 50
const HOUR_MS = 3_600_000
/** Hours in the chart: three days, longer than any reply window. */
const HOURS_MAX = 72

export interface HourChart {
  /** Epoch milliseconds: the begin of the first hour, and of the last one. */
  readonly first: number
  readonly last: number
  /** Undefined where only a look at the letters would show it. */
  readonly counts: readonly LetterCount[] | undefined
}

export interface AppState {
  readonly hold: Hold | null
  readonly isServed: boolean
}

export interface Overview {
  /** By code, whichever code is chosen. Undefined: nothing is counted. */
  readonly counts: LetterCounts
  /** How many the filter finds; undefined where only a look at the letters would show it. */
  readonly total: number | undefined
  readonly chart: HourChart
  readonly page: DeadLetterPage
  readonly state: AppState
}

export async function readOverview(
  store: Store,
  appid: string,
  { filter, cursor }: { filter: ShownFilter; cursor: string | undefined },
): Promise<Overview> {
  // No index holds windows, and the codes stay in sight without them.
  const { errcode: _errcode, window: _window, ...ofAllCodes } = filter
  const count = async (of: ShownFilter, by: 'errcode' | 'hour'): Promise<LetterCounts | undefined> =>
    countAtOnce(store, appid, { filter: taskFilterOf(of), by, reasons: reasonKeys() })
  const hours = hoursOf(filter, await store.clock.read())
  const [counts, total, byHour, page, state] = await Promise.all([
    count(ofAllCodes, 'errcode'),
    count(filter, 'errcode'),
    count({ ...filter, since: hours.since, until: hours.until }, 'hour'),
    listDeadLetters(store, appid, listFilterOf(filter, cursor)),
    readAppState(store, appid),
  ])
  return {
    counts: counts ?? { total: 0, counts: [], others: 0 },
    total: total?.total,
    chart: { first: hours.first, last: hours.last, counts: byHour?.counts },
    page,
    state,
  }
}

export async function readAppState(store: Store, appid: string): Promise<AppState> {
  const [hold, served] = await Promise.all([readHold(store, appid), readServed(store, [appid])])
  return { hold, isServed: served.has(appid) }
}

/** The filter as tasks and counts take it. */
export function taskFilterOf({ errcode, touser, window, since, until }: ShownFilter) {
  return {
    ...(errcode === undefined ? {} : { errcode: [errcode] }),
    ...(touser === undefined ? {} : { touser: [touser] }),
    ...(window === undefined ? {} : { window: [window] }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  }
}

function listFilterOf(filter: ShownFilter, cursor: string | undefined): ListFilter {
  return { ...taskFilterOf(filter), limit: PAGE_LETTERS, cursor }
}

/** The hours of a filter, the latest ones where there are more than a chart shows; without a filter those up to now. */
function hoursOf({ since, until }: ShownFilter, now: number) {
  const hour = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS
  const last = hour(until ?? now)
  const first = Math.min(last, Math.max(hour(since ?? 0), last - (HOURS_MAX - 1) * HOUR_MS))
  return { first, last, since: Math.max(first, since ?? first), until: until ?? last + HOUR_MS - 1 }
}
