/**
 * A job as it stands in Redis: BullMQ's fields and the marks of ours beside them. Read here and nowhere else, because a
 * job fetched by a worker shows what it was, and a decision needs what it is.
 */
import { ATTEMPTS_MAX, type Attempt, type Reason, touserSchema } from '@wechat-outbox/messages'

/** What our own runs push on BullMQ's `stacktrace`, one JSON text per run; the last of a dead job carries the reason. */
export interface HistoryEntry {
  readonly attempts: readonly Attempt[]
  readonly reason?: Reason
}

export interface JobHash {
  readonly name: string
  readonly data: unknown
  readonly timestamp: number
  readonly delayMs: number
  readonly finishedOn: number
  readonly failedReason: string
  readonly settled: boolean
  readonly parked: boolean
  /** It waits for the next action of its user. */
  readonly awaitsUser: boolean
  /** When it first waited for one; 0: never. */
  readonly awaitsSince: number
  /** The message that has taken its place. */
  readonly supersededBy: string | undefined
  /** Tries that counted. */
  readonly tries: number
  readonly stalledCount: number
  readonly history: readonly HistoryEntry[]
  readonly returned: unknown
  readonly replayedAs: string | undefined
}

/** Whether something is a time, in epoch milliseconds, that a date can be made of: other programs may have written anything. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15
}

/** BullMQ's names of the states in which a job only waits. Parked ones are delayed. */
const WAITING: readonly string[] = ['waiting', 'delayed', 'prioritized']

/** Whether a job in this state is neither with a worker nor at its end. What its marks and its lock say comes on top. */
export function isWaiting(state: string): boolean {
  return WAITING.includes(state)
}

/** Reads what HGETALL gave; null where there is no job. */
export function readJobHash(fields: Record<string, string>): JobHash | null {
  if (fields['name'] === undefined) return null
  return {
    name: fields['name'],
    data: parseJson(fields['data']),
    timestamp: Number(fields['timestamp'] ?? 0),
    delayMs: Number(fields['delay'] ?? 0),
    finishedOn: Number(fields['finishedOn'] ?? 0),
    failedReason: fields['failedReason'] ?? '',
    settled: fields['settled'] !== undefined,
    parked: fields['parked'] === '1',
    awaitsUser: fields['parked'] === 'user',
    awaitsSince: Number(fields['awaitsSince'] ?? 0),
    supersededBy: fields['supersededBy'],
    tries: Number(fields['atm'] ?? 0),
    stalledCount: Number(fields['stc'] ?? 0),
    history: readHistory(parseJson(fields['stacktrace'])),
    returned: parseJson(fields['returnvalue']),
    replayedAs: fields['replayedAs'],
  }
}

/** Entries that are not ours (a stack trace of foreign code) are passed over: they are not attempts. */
export function readHistory(stacktrace: unknown): HistoryEntry[] {
  if (!Array.isArray(stacktrace)) return []
  return stacktrace.flatMap((text) => {
    const entry = typeof text === 'string' ? parseJson(text) : undefined
    return isEntry(entry) ? [entry] : []
  })
}

/** The history with one more run, as BullMQ stores it; beyond the limit the oldest go, as `latest` says. */
export function appendHistory(history: readonly HistoryEntry[], entry: HistoryEntry): string {
  const kept = latest([...history, entry], ({ attempts }) => attempts.some(isUnsure))
  return JSON.stringify(kept.map((one) => JSON.stringify(one)))
}

export function attemptsOf(history: readonly HistoryEntry[]): Attempt[] {
  return latest(
    history.flatMap((entry) => [...entry.attempts]),
    isUnsure,
  )
}

const isUnsure = ({ outcome }: Attempt): boolean => outcome === 'unsure'

/** The last so many, and the last unsure one before them: a message that WeChat may have taken is not taken back. */
function latest<T>(all: readonly T[], unsure: (one: T) => boolean): T[] {
  const kept = all.slice(-ATTEMPTS_MAX)
  if (kept.length === all.length || kept.some(unsure)) return kept
  const before = all.findLast(unsure)
  return before === undefined ? kept : [before, ...kept.slice(1)]
}

function isEntry(value: unknown): value is HistoryEntry {
  return typeof value === 'object' && value !== null && 'attempts' in value && Array.isArray(value.attempts)
}

export function parseJson(text: string | undefined | null): unknown {
  if (text === undefined || text === null) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The recipient that job data names, whoever wrote it: where there is one at all, the message may stand in a lane. */
export function recipientIn(data: unknown): string | undefined {
  return touserSchema.safeParse((data as { touser?: unknown } | null | undefined)?.touser).data
}
