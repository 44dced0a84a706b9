/**
 * The shapes of `/v1` beside the send request, which is that of `messages`: what may stand in a query, and what is
 * answered. The OpenAPI document is made of these; queries are read with them.
 */
import {
  type Attempt,
  appidSchema,
  BATCH_MAX,
  instantSchema,
  type MessageStatus,
  MSGTYPES,
  type Part,
  type Reason,
  type StatusReport,
  sendRequestSchema,
  touserSchema,
} from '@wechat-outbox/messages'
import { LISTED_STATUSES, type ListedDeadLetter } from '@wechat-outbox/outbox/engine'
import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../problem.ts'

/** What a parameter looks like in an address is text; the document says what the text means. */
export const shownAs = (json: Record<string, unknown>) => ({
  override: ({ jsonSchema }: { jsonSchema: object }): void => {
    for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key)
    Object.assign(jsonSchema, json)
  },
})

export const instantParameter = z
  .string()
  // A plus sign that was not encoded arrives as a space.
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : text.replace(/ (?=\d\d:\d\d$)/, '+')))
  .pipe(instantSchema)
  .meta(
    shownAs({
      anyOf: [
        { type: 'string', format: 'date-time' },
        { type: 'integer', minimum: 1_000_000_000_000 },
      ],
    }),
  )

const LIMIT_MAX = 1000
const LIMIT_MESSAGE = `must be a number from 1 to ${LIMIT_MAX}`

/** Of every call that answers in pages. */
export const pageParameters = {
  limit: z
    .string()
    .regex(/^\d{1,4}$/, LIMIT_MESSAGE)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= LIMIT_MAX, LIMIT_MESSAGE)
    .optional()
    .meta({
      ...shownAs({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: 50 }),
      description: 'Of a page',
    }),
  cursor: z.string().optional().meta({ description: '`next` of the page before' }),
}

const next = z.string().nullable().meta({
  description: '`cursor` of the next page; null at the end. A page may have fewer than `limit`, or none, and a `next`',
})

export const messageId = z.string().meta({ description: 'Of a message', examples: ['m-4fZ8hQ2sVx0LmN6tRw1B'] })
export const deadLetterId = z.string().meta({ description: 'Of a dead letter', examples: ['d-4fZ8hQ2sVx0LmN6tRw1B'] })

/** One instance, so that the document has one component for it. Requests are judged under the texts' rule of this gateway. */
export const sendRequest = sendRequestSchema().meta({ id: 'SendRequest' })
export const batchRequest = z.strictObject({ messages: z.array(sendRequest).max(BATCH_MAX) }).meta({ id: 'Batch' })

const STATUSES = [
  'scheduled',
  'queued',
  'held',
  'waiting-for-user',
  'sending',
  'retrying',
  'delivered',
  'dead',
  'replayed',
  'discarded',
  'cancelled',
  'superseded',
] as const satisfies readonly MessageStatus[]
const status = z.enum(STATUSES).meta({ id: 'Status' }) satisfies z.ZodType<MessageStatus>

/** As answers have it: in UTC. */
export const time = z.iso.datetime().meta(shownAs({ type: 'string', format: 'date-time' }))

const attempt = z
  .object({
    at: time,
    outcome: z.string(),
    ms: z.number().meta({ description: 'How long the call took, in milliseconds' }),
    errcode: z.number().exactOptional(),
    errmsg: z.string().exactOptional(),
    rid: z.string().exactOptional().meta({ description: 'WeChat’s request id' }),
  })
  .meta({ id: 'Attempt' }) satisfies z.ZodType<{ [Field in keyof Attempt]: unknown }>

const part = z
  .object({
    n: z.int().meta({ description: 'Which it is, from 1 on' }),
    of: z.int(),
    first: messageId.meta({ description: 'The first part: the id that was answered' }),
  })
  .meta({ id: 'Part', description: 'Of a message that a long text was cut into' }) satisfies z.ZodType<Part>

export const receipt = z.object({ id: messageId, status }).meta({ id: 'Receipt' })

export const statusReport = z
  .object({
    id: messageId,
    status,
    appid: appidSchema,
    touser: z.string().meta({ description: 'Empty where the message could not be read' }),
    msgtype: z.string(),
    acceptedAt: time,
    sendAt: time.exactOptional(),
    expiresAt: time.exactOptional(),
    waitingSince: time
      .exactOptional()
      .meta({ description: 'With `waiting-for-user`: when it first waited for its user' }),
    settledAt: time.exactOptional(),
    deadLetter: deadLetterId.exactOptional(),
    replayOf: deadLetterId.exactOptional(),
    replayedAs: messageId.exactOptional(),
    supersededBy: messageId.exactOptional(),
    part: part.exactOptional(),
    parts: z
      .array(messageId)
      .exactOptional()
      .meta({ description: 'Of the first part: the ids of all, in their order' }),
    attempts: z.array(attempt),
    contentRemoved: z.literal(true).exactOptional().meta({ description: 'Its content is kept no more' }),
    metadata: z.record(z.string(), z.unknown()).exactOptional(),
  })
  .meta({ id: 'StatusReport' }) satisfies z.ZodType<{ [Field in keyof StatusReport]: unknown }>

const LISTED = LISTED_STATUSES.join(', ')
const listedStatus = z.enum(LISTED_STATUSES, { error: `must be one of ${LISTED}, or several of them` })

export const messagesQuery = z.strictObject({
  touser: touserSchema,
  status: z
    .union([listedStatus, z.array(listedStatus).min(1).max(LISTED_STATUSES.length)], {
      error: `must be one of ${LISTED}, or several of them`,
    })
    .transform((given) => (Array.isArray(given) ? given : [given]))
    .optional()
    .meta({ description: 'In one of these states' }),
  since: instantParameter.optional().meta({ description: 'Accepted then or later' }),
  ...pageParameters,
})

export const messagePage = z.object({ items: z.array(statusReport), next }).meta({ id: 'MessagePage' })

export const cancelled = z.object({ id: messageId, status: z.literal('cancelled') })
export const discarded = z.object({ id: deadLetterId, status: z.literal('discarded') })
export const replayRequested = z.object({ id: messageId, replayOf: deadLetterId }).meta({ id: 'Replay' })

const reason = z
  .object({
    errcode: z.number().nullable().meta({ description: 'WeChat’s, or null where the reason is the outbox’s own' }),
    name: z.string().meta({ examples: ['reply-window-closed'] }),
    errmsg: z.string(),
    rid: z.string().exactOptional(),
    meaning: z.object({ en: z.string(), zh: z.string() }),
    source: z.string(),
  })
  .meta({ id: 'Reason' }) satisfies z.ZodType<Reason>

/** The request as it was stored. What a letter of a foreign making holds is nobody's to promise. */
const storedMessage = z.union([
  z.looseObject({
    v: z.union([z.literal(1), z.literal(2)]),
    touser: touserSchema,
    msgtype: z.enum(MSGTYPES),
    part: part.exactOptional(),
    sendAt: time.exactOptional(),
    expiresAt: time.exactOptional(),
    contentRemoved: z.literal(true).exactOptional().meta({ description: 'Its content is kept no more' }),
  }),
  z.strictObject({ unreadable: z.unknown() }),
])

export const deadLetter = z
  .object({
    id: deadLetterId,
    v: z.literal(1),
    messageId,
    message: storedMessage,
    reason,
    attempts: z.array(attempt),
    acceptedAt: time,
    deadAt: time,
  })
  .meta({ id: 'DeadLetter' }) satisfies z.ZodType<{ [Field in keyof ListedDeadLetter]: unknown }>

export const deadLetterPage = z
  .object({
    items: z.array(deadLetter),
    next,
  })
  .meta({ id: 'DeadLetterPage' })

export const problem = z
  .object({
    type: z.string().meta({ examples: ['urn:wechat-outbox:problem:WXO_INVALID'] }),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string().meta({ examples: ['messages.3.touser'] }), message: z.string() }))
      .exactOptional()
      .meta({ description: 'The problems of the request by path, at most 50; an empty path is the body itself' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

export const batchResults = z
  .object({ results: z.array(z.union([receipt, problem])).meta({ description: 'One for each message, in order' }) })
  .meta({ id: 'BatchResults' })
