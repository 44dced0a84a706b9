/**
 * Which dead letters are meant: the one filter that counts, tasks, HTTP and the command line share. What may be asked for is
 * checked here, and whether a letter is meant is decided here, from the letter alone. Only the state of its person's reply window
 * has to be read: that is judged where letters are found.
 */
import { z } from 'zod'
import type { Reason } from './attempt.ts'
import { type DeadLetter, recipientOf } from './dead-letter.ts'
import { isDeadLetterId } from './ids.ts'
import { WINDOW_STATES, type WindowState } from './reply-window.ts'
import { instantSchema, touserSchema } from './send-request.ts'

/** What is absent excludes nothing. All that is given has to hold. Times are epoch milliseconds, both ends included. */
export interface DeadLetterFilter {
  /** Died of one of these: errcodes as text, or the names of reasons of ours. */
  readonly errcode?: readonly string[] | undefined
  readonly touser?: readonly string[] | undefined
  readonly notTouser?: readonly string[] | undefined
  /** What is known of the reply window of its person when the letter is looked at. */
  readonly window?: readonly WindowState[] | undefined
  /** When it died. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** When its message was accepted. */
  readonly acceptedSince?: number | undefined
  readonly acceptedUntil?: number | undefined
  /** At most so many, those whose messages were accepted first. */
  readonly limit?: number | undefined
}

const REASONS_MAX = 100
const PEOPLE_MAX = 1000
const LETTERS_MAX = 1_000_000
const PER_SECOND_MAX = 10_000
/** Ids that one task may name. */
export const TASK_IDS_MAX = 10_000
/** How large the request for a task may be: all ids that it may name fit. */
export const TASK_SIZE = { bytesMax: 1_048_576, valuesMax: 2 * TASK_IDS_MAX } as const

/** The text under which a reason is counted and listed: its errcode, or the name of one that has none. */
export function reasonKeyOf({ errcode, name }: Pick<Reason, 'errcode' | 'name'>): string {
  return String(errcode ?? name)
}

/** One, or a list of them. */
function oneOrMore<T extends z.ZodType>(item: T, { what, max }: { what: string; max: number }) {
  const list = z.array(item).min(1).max(max)
  return z
    .union([item, list], { error: `must be ${what}, or a list of 1 to ${max}` })
    .transform((given) => (Array.isArray(given) ? (given as z.output<T>[]) : [given as z.output<T>]))
    .optional()
}

/** `keyOf` returns the errcode of a reason that is given by its name, and undefined for a name that there is not. */
export type ReasonKey = (text: string) => string | undefined

/**
 * The filter as it comes in: lists or single values, errcodes as numbers or text, reasons by name, times as ISO 8601 or epoch
 * milliseconds.
 */
export function deadLetterFilterSchema(keyOf: ReasonKey) {
  return z
    .strictObject({
      errcode: oneOrMore(reasonSchema(keyOf), { what: REASON, max: REASONS_MAX }),
      touser: oneOrMore(touserSchema, { what: 'an openid', max: PEOPLE_MAX }),
      notTouser: oneOrMore(touserSchema, { what: 'an openid', max: PEOPLE_MAX }),
      window: oneOrMore(z.enum(WINDOW_STATES), { what: WINDOW, max: WINDOW_STATES.length }),
      since: instantSchema.optional(),
      until: instantSchema.optional(),
      acceptedSince: instantSchema.optional(),
      acceptedUntil: instantSchema.optional(),
      limit: z.number().int().min(1).max(LETTERS_MAX).optional(),
    })
    .refine(({ since, until }) => isInOrder(since, until), { path: ['since'], error: 'must not be later than until' })
    .refine(({ acceptedSince, acceptedUntil }) => isInOrder(acceptedSince, acceptedUntil), {
      path: ['acceptedSince'],
      error: 'must not be later than acceptedUntil',
    })
}

const WINDOW = 'open, used-up, closed or unknown'
const REASON = 'an errcode or the name of a reason, such as expired or reply-window-closed'

/** Codes of nine digits, and no more: WeChat's have seven at most. */
const CODE_MAX = 999_999_999

function reasonSchema(keyOf: ReasonKey) {
  const message = `must be ${REASON}`
  return z
    .union([z.int().min(-CODE_MAX).max(CODE_MAX), z.string().meta({ examples: ['expired', '45015'] })], {
      error: message,
    })
    .transform((given) => (/^-?\d{1,9}$/.test(String(given)) ? String(given) : keyOf(String(given))))
    .pipe(z.string({ error: message }))
}

const isInOrder = (from: number | undefined, to: number | undefined): boolean =>
  from === undefined || to === undefined || from <= to

/** A task as it is asked for: an action on the letters of a filter, or on those that are named. */
export function taskRequestSchema(keyOf: ReasonKey) {
  return z
    .strictObject({
      action: z.enum(['replay', 'discard']),
      filter: deadLetterFilterSchema(keyOf).optional(),
      ids: z
        .array(
          z
            .string()
            .refine(isDeadLetterId, 'must be the id of a dead letter, d-…')
            .meta({ examples: ['d-4fZ8hQ2sVx0LmN6tRw1B'] }),
        )
        .min(1, 'must not be empty')
        .max(TASK_IDS_MAX, `must be at most ${TASK_IDS_MAX}`)
        .optional(),
      perSecond: z.number().int().min(1).max(PER_SECOND_MAX).optional(),
      dryRun: z.boolean().optional(),
    })
    .refine(({ filter, ids }) => (filter === undefined) !== (ids === undefined), {
      path: ['filter'],
      error: 'or ids must be given, and not both; the filter {} means all',
    })
}

export type TaskRequest = z.output<ReturnType<typeof taskRequestSchema>>

/** Whether a letter is one of those that a filter means, as far as the letter shows: `limit` and `window` are not judged here. */
export function matchesFilter(filter: DeadLetterFilter, letter: DeadLetter): boolean {
  const { errcode, touser, notTouser, since, until, acceptedSince, acceptedUntil } = filter
  const person = recipientOf(letter)
  const { reason } = letter
  // A reason of ours may have the errcode of the last answer beside its name.
  if (errcode !== undefined && !errcode.includes(reasonKeyOf(reason)) && !errcode.includes(reason.name)) return false
  if (touser !== undefined && (person === undefined || !touser.includes(person))) return false
  if (notTouser !== undefined && person !== undefined && notTouser.includes(person)) return false
  return isWithin(letter.deadAt, since, until) && isWithin(letter.acceptedAt, acceptedSince, acceptedUntil)
}

function isWithin(at: number, since = -Infinity, until = Infinity): boolean {
  return at >= since && at <= until
}
