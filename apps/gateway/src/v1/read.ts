/** What a request says, read and checked. All its problems are reported at once. */
import {
  appidSchema,
  BATCH_MAX,
  check,
  checkSendRequest,
  type JsonSize,
  limitProblems,
  type Problem,
  touserSchema,
} from '@wechat-outbox/messages'
import { OutboxError } from '@wechat-outbox/outbox'
import { storeError } from '@wechat-outbox/outbox/engine'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { traceparentOf } from '../traceparent.ts'
import type { SendSchema } from './add-v1.ts'
import { IDEMPOTENCY_HEADER, readIdempotencyKey } from './idempotency-key.ts'

export function invalid(problems: readonly Problem[]): OutboxError {
  return new OutboxError('WXO_INVALID', 'the request is refused', { issues: limitProblems(problems) })
}

const pathSchema = z.object({ appid: appidSchema, id: z.string().default(''), openid: touserSchema.default('') })

/** The parameters in the path and the query. @throws OutboxError WXO_INVALID */
export function readParameters<T>(
  request: FastifyRequest,
  query: z.ZodType<T>,
): { appid: string; id: string; openid: string; query: T } {
  const path = check(plain(request.params), pathSchema)
  const asked = check(plain(request.query), query)
  if (path.ok && asked.ok) return { ...path.value, query: asked.value }
  throw invalid([...(path.ok ? [] : path.problems), ...(asked.ok ? [] : asked.problems)])
}

export const noQuery = z.strictObject({})

/** The query of a call without a path of its own. @throws OutboxError WXO_INVALID */
export function readQuery<T>(request: FastifyRequest, query: z.ZodType<T>): T {
  const asked = check(plain(request.query), query)
  if (asked.ok) return asked.value
  throw invalid(asked.problems)
}

/** A body, and the app in the path; `size` where it may be larger than a message. @throws OutboxError WXO_INVALID */
export function readBody<T>(
  request: Pick<FastifyRequest, 'params' | 'query' | 'body'>,
  schema: z.ZodType<T>,
  size?: JsonSize,
): { appid: string; openid: string; body: T } {
  const path = check(plain(request.params), pathSchema)
  const asked = check(plain(request.query), noQuery)
  const body = check(request.body, schema, size)
  if (path.ok && asked.ok && body.ok) return { ...path.value, body: body.value }
  throw invalid([path, asked, body].flatMap((one) => (one.ok ? [] : one.problems)))
}

/** @throws OutboxError and no other */
export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw storeError(error)
  }
}

/** A message as the Outbox takes it, or what is wrong with the request before anybody looks at the message. */
type Prepared = { readonly request: object } | { readonly problems: readonly Problem[] }

interface Around {
  readonly appid: string
  readonly schema: SendSchema
  readonly key?: string | undefined
  readonly traceparent?: string | undefined
}

/** One message out of the body and what stands around it. @throws OutboxError WXO_INVALID */
export function readMessage(request: FastifyRequest, schema: SendSchema): object {
  const { appid } = request.params as { appid: string }
  const read = readIdempotencyKey(request.headers[IDEMPOTENCY_HEADER.toLowerCase()])
  const key = 'key' in read ? read.key : undefined
  const problems = [...queryProblems(request), ...('problem' in read ? [read.problem] : [])]
  const prepared = prepare(request.body, { appid, schema, key, traceparent: traceparentOf(request) })
  if ('problems' in prepared) throw invalid([...problems, ...prepared.problems])
  if (problems.length > 0)
    throw invalid([...problems, ...problemsOfMessage(request.body, schema), ...problemsOfApp(appid)])
  return prepared.request
}

/** The messages of a batch, each looked at when it is asked for. @throws OutboxError WXO_INVALID when it is no batch at all */
export function readBatch(
  request: FastifyRequest,
  schema: SendSchema,
): { count: number; messages: Iterable<Prepared> } {
  const { appid } = request.params as { appid: string }
  const problems: Problem[] = [...queryProblems(request), ...problemsOfApp(appid)]
  if (request.headers[IDEMPOTENCY_HEADER.toLowerCase()] !== undefined) {
    problems.push({ path: IDEMPOTENCY_HEADER, message: 'belongs to one message: give each its own idempotencyKey' })
  }
  const { messages, ...rest } = (isObject(request.body) ? request.body : {}) as { messages?: unknown }
  for (const path of Object.keys(rest)) problems.push({ path, message: 'is not a known key' })
  if (!isObject(request.body)) problems.push({ path: '', message: 'must be a JSON object' })
  else if (!Array.isArray(messages)) problems.push({ path: 'messages', message: 'must be a list of messages' })
  else if (messages.length > BATCH_MAX) {
    problems.push({ path: 'messages', message: `must be at most ${BATCH_MAX} messages, not ${messages.length}` })
  }
  if (problems.length > 0 || !Array.isArray(messages)) throw invalid(problems)
  const traceparent = traceparentOf(request)
  return { count: messages.length, messages: prepareEach(messages, { appid, schema, traceparent }) }
}

function* prepareEach(messages: readonly unknown[], around: Around): Iterable<Prepared> {
  for (const message of messages) yield prepare(message, around)
}

function prepare(message: unknown, { appid, schema, key, traceparent }: Around): Prepared {
  if (!isObject(message)) return { problems: [...problemsOfApp(appid), { path: '', message: 'must be a JSON object' }] }
  const problems: Problem[] = []
  const own = message['idempotencyKey']
  if (key !== undefined && typeof own === 'string' && own !== key) {
    problems.push({ path: 'idempotencyKey', message: `differs from the header ${IDEMPOTENCY_HEADER}` })
  }
  const { appid: stranger, ...body } = message
  // The Outbox would take it for a field of its own. `null` is what a typed client writes for none.
  if (problems.length > 0 || (stranger !== undefined && stranger !== null)) {
    return { problems: [...problemsOfApp(appid), ...problems, ...problemsOfMessage(message, schema)] }
  }
  const trace = traceparent === undefined || (body['traceparent'] ?? null) !== null ? {} : { traceparent }
  return { request: { ...body, ...trace, ...(key === undefined ? {} : { idempotencyKey: own ?? key }), appid } }
}

function problemsOfApp(appid: string): Problem[] {
  const checked = check({ appid }, z.object({ appid: appidSchema }))
  return checked.ok ? [] : checked.problems
}

function problemsOfMessage(message: unknown, schema: SendSchema): Problem[] {
  const checked = checkSendRequest(message, schema)
  return checked.ok ? [] : checked.problems
}

function queryProblems(request: FastifyRequest): Problem[] {
  const checked = check(plain(request.query), noQuery)
  return checked.ok ? [] : checked.problems
}

/** The router and the query's parser make objects with prototypes of their own. */
const plain = (value: unknown): object => ({ ...(value as object) })

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
