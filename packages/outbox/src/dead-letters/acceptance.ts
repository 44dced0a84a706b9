/**
 * The order in which dead letters are replayed: that in which their messages were accepted, however they were asked for. Letters
 * die in another order than they were accepted in (retries, `expiresAt`), and operators name them in any.
 *
 * A message that had a `sendAt` took its place among the others then. Redis's clock tells milliseconds; within one the id decides,
 * which begins with its time, or, of ids from before they had one, the time of death: a lane dies from its front. What has
 * died again after a replay keeps the place that it had at first.
 */
import { type DeadLetter, idTimeOf } from '@wechat-outbox/messages'

const TIME_DIGITS = 16
const PART_DIGITS = 3
/** Stands in no part of an order, and in no id of ours. */
const MARK = ':'

/**
 * A text that sorts by acceptance, byte by byte as Redis sorts, and ends with the id. Data of foreign making has no time and
 * comes first.
 */
export function acceptanceOf(id: string, letter: Partial<DeadLetter> | null | undefined): string {
  const { acceptedAt, deadAt, message } = letter ?? {}
  const { sendAt = 0, part, replayOf } = readable(message)
  const made = idTimeOf(id)
  const at = replayOf === undefined ? Math.max(time(acceptedAt), time(sendAt)) : (made?.ms ?? time(acceptedAt))
  const place = made?.place ?? digits(time(deadAt), TIME_DIGITS)
  return [digits(at, TIME_DIGITS), place, digits(time(part?.n), PART_DIGITS), id].join(MARK)
}

/** The id at the end of an order. */
export function idInAcceptance(order: string): string {
  return order.split(MARK).slice(3).join(MARK)
}

interface Readable {
  readonly sendAt?: number | undefined
  readonly replayOf?: string | undefined
  readonly part?: { readonly n: number } | undefined
}

function readable(message: DeadLetter['message'] | undefined): Readable {
  return typeof message === 'object' && message !== null && !('unreadable' in message) ? message : {}
}

/** A time or a count, of whatever stands in its place. */
function time(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(Math.floor(value), Number.MAX_SAFE_INTEGER) : 0
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, '0').slice(-length)
}
