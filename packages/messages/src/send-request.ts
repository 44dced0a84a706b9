/**
 * What a producer hands in: WeChat's own body, and beside it what the outbox needs to know. One flat shape everywhere –
 * in Node, over HTTP, in a batch, on the command line – and one place that decides whether it is good.
 *
 * Fields: https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/kf-mgnt/kf-message/sendCustomMessage.html
 */
import { z } from 'zod'
import { inspectJson, type JsonSize, shownKey } from './inspect.ts'
import {
  FIELD_CHARS_MAX,
  IDEMPOTENCY_KEY_CHARS_MAX,
  METADATA_BYTES_MAX,
  PARTS_MAX,
  REQUEST_BYTES_MAX,
  TEXT_BYTES_MAX_DEFAULT,
} from './limits.ts'
import { eitherOf, exactlyOne, hasNoExtras, PICTURE_URL } from './picture-fields.ts'
import { PLAIN_ERRORS } from './plain-errors.ts'
import { limitProblems, type Problem } from './problems.ts'
import { TEXT_RULE_DEFAULT, type TextRule, textProblem } from './split-text.ts'

// What `meta` holds is for documents made of these schemas; it judges nothing.
export const appidSchema = z
  .string()
  .regex(/^wx[0-9a-f]{16}$/, 'must be wx and 16 hex digits')
  .meta({ description: 'The Mini Program', examples: ['wx1234567890abcdef'] })
export const touserSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -')
  .meta({ description: 'The openid of the recipient', examples: ['oABCD1234567890_wxyz-EFGHijk'] })

/**
 * JSON writes these as escapes, and WeChat, which wants raw UTF-8, has refused escapes with 40033 [community]. Tab and line
 * breaks have escapes of their own, which it takes.
 */
const CONTROL = /[^\P{Cc}\t\n\r\x7F-\x9F]/u
const PRINTABLE = '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f]*$'

/** A text that WeChat gets. What is stored already was accepted, and is sent as it is. */
const wireText = (isStored: boolean) =>
  isStored
    ? z.string()
    : z
        .string()
        .refine((value) => !CONTROL.test(value), { error: ({ input }) => controlProblem(String(input)) })
        .meta({ pattern: PRINTABLE })

function controlProblem(value: string): string {
  const code = CONTROL.exec(value)?.[0].codePointAt(0) ?? 0
  return `contains the control character U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}

const isFilled = (value: string): boolean => value.trim() !== ''

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && ['https:', 'http:'].includes(new URL(value).protocol)
}

/** Epoch milliseconds inside living memory and this century, so that seconds given by mistake are refused. */
const epochMs = z
  .number()
  .min(1_000_000_000_000, 'must be milliseconds, not seconds')
  .max(4_102_444_800_000, { error: 'must be a time before 2100', abort: true })
  .int()
/** A point in time, read as epoch milliseconds. */
export const instantSchema = z
  .union(
    [
      epochMs,
      z.iso
        .datetime({ offset: true })
        .transform((text) => Date.parse(text))
        .pipe(epochMs),
    ],
    {
      error: 'must be ISO 8601 with an offset, or epoch milliseconds',
    },
  )
  .meta({ description: 'ISO 8601 with an offset, or epoch milliseconds' })

/** https://www.w3.org/TR/trace-context/#traceparent-header */
export const traceparentSchema = z
  .string()
  .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, 'must be a W3C traceparent')
  .meta({
    description: 'The trace that the message belongs to, as in the W3C header',
    examples: ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  })

const metadata = z
  .record(z.string(), z.json())
  .refine(
    (value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_BYTES_MAX,
    `must be at most ${METADATA_BYTES_MAX} bytes of JSON`,
  )

/** A key that may be missing. Typed SDKs write all that their types have, and `null` for what is not there. */
const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional()

/** The same for an object of optional keys: with none of them it says nothing. */
const unlessEmpty = <T extends z.ZodType<object>>(schema: T) =>
  schema
    .nullable()
    .transform((value) => (Object.values(value ?? {}).some((one) => one !== undefined) ? value : undefined))
    .transform((value) => value ?? undefined)
    .optional()

/** What becomes of a message while the reply window of its recipient is closed. */
export const ON_CLOSED = ['dead-letter', 'hold', 'refuse'] as const
export type OnClosed = (typeof ON_CLOSED)[number]

const COLLAPSE_KEY_CHARS_MAX = 64

const envelope = {
  touser: touserSchema,
  idempotencyKey: optional(z.string().min(1).max(IDEMPOTENCY_KEY_CHARS_MAX)).meta({
    description: 'Makes repeating the request safe: with the same key and body it is the same message',
  }),
  sendAt: optional(instantSchema).meta({ description: 'Not before this time' }),
  expiresAt: optional(instantSchema).meta({
    description: 'Not after this time: what is still waiting then is dead',
  }),
  ifUnsure: optional(z.enum(['resend', 'dead-letter'])).meta({
    description: 'What to do when nobody can know whether WeChat took it; resend by default',
  }),
  onClosed: optional(z.enum(ON_CLOSED)).meta({
    description:
      'While the reply window of the recipient is closed: `dead-letter` sends it, and WeChat’s refusal buries it; `hold` lets it wait for the user’s next action; `refuse` does not accept it, as far as the window is known to be closed. By default what `ON_CLOSED` says',
  }),
  collapseKey: optional(
    z
      .string()
      .min(1, 'must not be empty')
      .max(COLLAPSE_KEY_CHARS_MAX, `must be at most ${COLLAPSE_KEY_CHARS_MAX} characters`),
  ).meta({
    description:
      'A newer message to the same person with the same key takes the place of this one, as long as nothing of this one can have reached WeChat: it ends `superseded`',
  }),
  metadata: optional(metadata).meta({
    description: `At most ${METADATA_BYTES_MAX} bytes of JSON, given back by status and dead letters`,
  }),
  traceparent: optional(traceparentSchema),
}

const envelopeSchema = z.looseObject(envelope)

/** Texts of other types that a typed SDK writes as `null` beside the one that a message has. */
const noContent = z
  .null('belongs to another msgtype')
  .transform(() => undefined)
  .optional()
const noContents = { text: noContent, image: noContent, link: noContent, miniprogrampage: noContent }

interface Limits {
  readonly texts: TextRule
  readonly isStored: boolean
}

/** For every document, whatever the limit is set to where it is read. */
const TEXT_LENGTH = `At most ${TEXT_BYTES_MAX_DEFAULT} bytes of UTF-8, or what \`TEXT_BYTES_MAX\` says. With \`TEXT_SPLIT\` a longer text becomes several messages, ${PARTS_MAX} at most, and the id is that of the first`

/** The four contents, by `msgtype`. Fields other than WeChat's are refused: a typo would otherwise vanish silently. */
function contentSchemas({ texts, isStored }: Limits) {
  const text = wireText(isStored)
  const field = text.max(FIELD_CHARS_MAX, `must be at most ${FIELD_CHARS_MAX} characters`)
  const filled = field.refine(isFilled, 'must not be empty').meta({ minLength: 1 })
  const httpUrl = filled.refine(isHttpUrl, 'must be an http or https URL').meta({ format: 'uri' })
  const pictureUrl = httpUrl
    .refine(hasNoExtras, 'must be a URL without user, password and fragment')
    .meta({ format: 'uri', description: PICTURE_URL })
  const mediaId = filled.meta({ minLength: 1, description: 'What an upload to WeChat was answered with; or a URL' })
  const content = text
    .refine(isFilled, 'must not be empty')
    .refine((value) => textProblem(value, texts) === null, {
      error: ({ input }) => textProblem(String(input), texts) ?? undefined,
    })
    .meta({ minLength: 1, description: TEXT_LENGTH })
  return {
    text: z.strictObject({ content }),
    image: z
      .strictObject({ media_id: optional(mediaId), url: optional(pictureUrl) })
      .refine(...exactlyOne('media_id', 'url'))
      .meta(eitherOf('media_id', 'url')),
    link: z.strictObject({ title: filled, description: field, url: httpUrl, thumb_url: httpUrl }),
    miniprogrampage: z
      .strictObject({
        title: filled,
        pagepath: filled,
        thumb_media_id: optional(mediaId),
        thumb_url: optional(pictureUrl),
      })
      .refine(...exactlyOne('thumb_media_id', 'thumb_url'))
      .meta(eitherOf('thumb_media_id', 'thumb_url')),
  }
}

/** What may stand beside any content, and is passed on to WeChat. */
function extraSchemas({ isStored }: Limits) {
  const filled = wireText(isStored)
    .max(FIELD_CHARS_MAX, `must be at most ${FIELD_CHARS_MAX} characters`)
    .refine(isFilled, 'must not be empty')
    .meta({ minLength: 1 })
  const isAiMsg = z.union([z.literal(0), z.literal(1)], { error: 'must be 0 or 1' })
  return {
    aimsgcontext: unlessEmpty(z.strictObject({ is_ai_msg: optional(isAiMsg), msgid: optional(filled) })).meta({
      description: '`is_ai_msg`: 1 marks what an AI has written',
    }),
    businessid: optional(filled).meta({ description: 'WeChat’s id of a merchant’s business' }),
    customservice: unlessEmpty(z.strictObject({ kf_account: optional(filled) })).meta({
      description: '`kf_account`: the agent in whose name the message is shown',
    }),
  }
}

function schemaOf(limits: Limits) {
  const of = contentSchemas(limits)
  const common = { ...envelope, ...extraSchemas(limits), ...noContents }
  return z
    .discriminatedUnion('msgtype', [
      z.strictObject({ ...common, msgtype: z.literal('text'), text: of.text }),
      z.strictObject({ ...common, msgtype: z.literal('image'), image: of.image }),
      z.strictObject({ ...common, msgtype: z.literal('link'), link: of.link }),
      z.strictObject({ ...common, msgtype: z.literal('miniprogrampage'), miniprogrampage: of.miniprogrampage }),
    ])
    .refine((request) => !(request.sendAt && request.expiresAt) || request.sendAt < request.expiresAt, {
      path: ['expiresAt'],
      error: 'must be later than sendAt',
    })
}

/** The schema of a send request without its `appid`, as it stands in a path or belongs to an Outbox. */
export function sendRequestSchema(texts: TextRule = TEXT_RULE_DEFAULT) {
  return schemaOf({ texts, isStored: false })
}

/** Of a request that was accepted, perhaps under another limit or by an older producer: neither is judged again. */
export function storedRequestSchema() {
  return schemaOf({ texts: { bytesMax: REQUEST_BYTES_MAX, isSplit: false }, isStored: true })
}

type Schema = ReturnType<typeof sendRequestSchema>
/** What a producer may write: times as text or numbers. */
export type SendRequest = z.input<Schema> & { appid?: string }
/** What has been checked: times are epoch milliseconds. */
export type CheckedRequest = z.output<Schema>
export type Msgtype = CheckedRequest['msgtype']
export const MSGTYPES = ['text', 'image', 'link', 'miniprogrampage'] as const satisfies readonly Msgtype[]

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: Problem[] }

/**
 * Checks a request of unknown origin against a schema made by {@link sendRequestSchema}. Never throws.
 *
 * @example
 * checkSendRequest({ touser: 'oAnna', msgtype: 'text', text: {} }, sendRequestSchema())
 * // { ok: false, problems: [{ path: 'text.content', message: 'is missing' }] }
 */
export function checkSendRequest(input: unknown, schema: Schema): Checked<CheckedRequest> {
  const checked = check(input, schema)
  if (checked.ok || !checked.problems.some(({ path }) => path === 'msgtype')) return checked
  // Which content belongs there nobody can say; what stands beside it is judged all the same.
  const beside = check(input, envelopeSchema)
  return beside.ok ? checked : { ok: false, problems: limitProblems([...beside.problems, ...checked.problems]) }
}

/** The common way from an unknown value to a checked one or to its problems, at most `PROBLEMS_MAX`: for requests, job data, queries. */
export function check<T>(input: unknown, schema: z.ZodType<T>, size?: JsonSize): Checked<T> {
  const problems = inspectJson(input, size)
  if (problems.length > 0) return { ok: false, problems }
  const parsed = schema.safeParse(input, PLAIN_ERRORS)
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, problems: limitProblems(problemsOf(parsed.error)) }
}

/** zod reports unknown keys at their parent; a caller looks for the key itself. */
function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String)
    if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), message: issue.message }]
    return issue.keys.map((key) => ({ path: [...path, shownKey(key)].join('.'), message: unknownKey(path, key) }))
  })
}

function unknownKey(path: readonly string[], key: string): string {
  // One of WeChat's own pages names the field `picurl`; its example and every SDK say `thumb_url`.
  return path[0] === 'link' && key === 'picurl' ? 'is not known: WeChat takes thumb_url' : 'is not a known key'
}
