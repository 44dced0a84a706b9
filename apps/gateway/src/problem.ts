/**
 * Everything that goes wrong, as RFC 9457 problem details: one catalogue, which `docs/http.md` repeats and a test compares
 * with it. What a client reads is written here and never taken from an error: those carry addresses, commands and headers.
 */
import { countProblems, type Problem as Issue } from '@wechat-outbox/messages'
import { OutboxError } from '@wechat-outbox/outbox'
import { messageOf, messageWithCause, type NotReplayable } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { routeTemplate } from './route-template.ts'

interface Kind {
  readonly status: number
  readonly title: string
  /** When to ask again, in seconds, where nobody knows better. */
  readonly retryAfterS?: number
}

/** Codes and their status are stable. Those of `OutboxError` are the same here as in Node. */
export const PROBLEMS = {
  WXO_INVALID: { status: 400, title: 'The request is refused' },
  WXO_CONFLICT: { status: 422, title: 'The idempotency key belongs to another message' },
  WXO_UNAVAILABLE: { status: 503, title: 'Redis is away', retryAfterS: 1 },
  WXO_FULL: { status: 503, title: 'Redis is near its memory limit', retryAfterS: 10 },
  'bad-request': { status: 400, title: 'The request cannot be read' },
  'key-missing': { status: 401, title: 'An API key is needed' },
  'key-unknown': { status: 401, title: 'The API key is not valid' },
  'sign-in': { status: 401, title: 'Sign-in needed' },
  forbidden: { status: 403, title: 'The API key does not allow this' },
  host: { status: 403, title: 'Not known under this name' },
  origin: { status: 403, title: 'Another web site asks' },
  'push-refused': { status: 403, title: 'Not a push of WeChat’s' },
  'read-only': { status: 403, title: 'The dashboard only retries' },
  'dashboard-off': { status: 403, title: 'The dashboard is off' },
  'not-found': { status: 404, title: 'Not found' },
  'unknown-app': { status: 404, title: 'No worker has ever served this app' },
  'unknown-message': { status: 404, title: 'No such message' },
  'unknown-dead-letter': { status: 404, title: 'No such dead letter' },
  'unknown-task': { status: 404, title: 'No such task' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  WXO_WINDOW_CLOSED: { status: 409, title: 'The reply window is closed' },
  'too-late': { status: 409, title: 'Too late to cancel' },
  'being-replayed': { status: 409, title: 'The dead letter is being replayed' },
  'not-replayable': { status: 409, title: 'The dead letter cannot be replayed' },
  'retry-all-off': { status: 409, title: 'The dashboard retries one by one' },
  'too-many-tasks': { status: 409, title: 'Too many tasks run already' },
  'too-large': { status: 413, title: 'The body is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'content-type': { status: 415, title: 'Unsupported media type' },
  'media-refused': { status: 422, title: 'WeChat does not take the picture' },
  'too-many-attempts': { status: 429, title: 'Too many attempts', retryAfterS: 1 },
  'too-many-requests': { status: 429, title: 'Too many requests', retryAfterS: 1 },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'Internal error' },
  'forward-failed': { status: 502, title: 'The service did not take the push' },
  'wechat-away': { status: 503, title: 'WeChat does not take it now', retryAfterS: 5 },
  timeout: { status: 503, title: 'It took too long', retryAfterS: 1 },
  'forward-late': { status: 504, title: 'The service did not answer in time' },
} as const satisfies Record<string, Kind>

export type ProblemCode = keyof typeof PROBLEMS

/** A status and a code that belong together. */
export type Problem = {
  [Code in ProblemCode]: {
    readonly status: (typeof PROBLEMS)[Code]['status']
    readonly code: Code
    readonly detail: string
    /** What is wrong with the request, by path. */
    readonly errors?: readonly Issue[]
  }
}[ProblemCode]

/** `type` names the kind for ever and leads nowhere: a gateway does not know under which address its documents stand. */
const PROBLEM_TYPE_PREFIX = 'urn:wechat-outbox:problem:'

/** A problem as it goes over the wire. */
export function problemBody({ status, code, detail, errors }: Problem): Record<string, unknown> {
  const { title } = PROBLEMS[code]
  return { type: PROBLEM_TYPE_PREFIX + code, title, status, code, detail, ...(errors === undefined ? {} : { errors }) }
}

/** Says when to ask again, where the kind of problem allows it. */
export function setRetryAfter(reply: FastifyReply, { code }: Problem): void {
  const { retryAfterS }: Kind = PROBLEMS[code]
  if (retryAfterS !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', String(retryAfterS))
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  setRetryAfter(reply, problem)
  // The dashboard's page shows the field `error`.
  const forPage = reply.request.url.startsWith('/dashboard') ? { error: problem.detail } : {}
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify({ ...problemBody(problem), ...forPage }))
}

const NOT_REPLAYABLE: Readonly<Record<NotReplayable, string>> = {
  unreadable: 'This dead letter holds nothing that could be sent again.',
  'content-removed':
    'The content of this dead letter was removed because of its age, so nothing of it can be sent again.',
}

export function notReplayable(why: NotReplayable): Problem {
  return { status: 409, code: 'not-replayable', detail: NOT_REPLAYABLE[why] }
}

/** What a client is not told: why a request failed that was no fault of its own. */
export function logFailure(log: Logger, request: FastifyRequest, of: { problem: Problem; error: unknown }): void {
  const { status } = of.problem
  if (status < 500) return
  const { method } = request
  log.warn({ event: 'http.failed', method, route: routeTemplate(request), status, error: messageWithCause(of.error) })
}

/** The last word on every error that nobody answered. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error: unknown, request, reply) => {
    const problem = problemOf(error)
    logFailure(log, request, { problem, error })
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, NOT_FOUND))
}

export const NOT_FOUND: Problem = { status: 404, code: 'not-found', detail: 'There is nothing here.' }

const INTERNAL: Problem = { status: 500, code: 'internal', detail: 'Something failed; the log says what.' }

const REDIS_AWAY: Problem = {
  status: 503,
  code: 'WXO_UNAVAILABLE',
  detail: 'Redis is not available. Repeat it in a moment; with an idempotency key that is always safe.',
}

/** What ioredis and BullMQ say when the connection, and not the command, is at fault. */
const connectionLost =
  /Connection is closed|Stream isn't writeable|ECONN|EPIPE|ETIMEDOUT|Socket timeout|timed out|max retries per request|LOADING|CLUSTERDOWN|MASTERDOWN/i

export function problemOf(error: unknown): Problem {
  if (error instanceof OutboxError) return outboxProblem(error)
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown }
  if (code === 'FST_ERR_HANDLER_TIMEOUT')
    return { status: 503, code: 'timeout', detail: 'This took too long and was given up.' }
  if (code === 'FST_BASIC_AUTH_MISSING_OR_BAD_AUTHORIZATION_HEADER') return SIGN_IN
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) return refusedRequest(statusCode)
  return connectionLost.test(messageOf(error)) ? REDIS_AWAY : INTERNAL
}

function outboxProblem({ code, message, issues }: OutboxError): Problem {
  switch (code) {
    case 'WXO_INVALID':
      return { status: 400, code, detail: invalidDetail(issues), errors: issues }
    case 'WXO_CONFLICT':
      return { status: 422, code, detail: `T${message.slice(1)}.` }
    // Closed: this gateway is ending, and another takes the request.
    case 'WXO_CLOSED':
    case 'WXO_UNAVAILABLE':
      return REDIS_AWAY
    case 'WXO_FULL':
      return { status: 503, code, detail: 'Redis is near its memory limit and takes no new messages.' }
    case 'WXO_WINDOW_CLOSED':
      return { status: 409, code, detail: `T${message.slice(1)}.` }
    case 'WXO_CONFIG':
      return INTERNAL
  }
}

/** For people, the first few; a program reads `errors`. */
function invalidDetail(issues: readonly Issue[]): string {
  const shown = issues.slice(0, 3).map(({ path, message }) => `${path || 'the body'} ${message}`)
  return `${shown.join('; ')}${issues.length > 3 ? `; and ${countProblems(issues) - 3} more` : ''}.`
}

const SIGN_IN: Problem = {
  status: 401,
  code: 'sign-in',
  detail: 'Sign in with DASHBOARD_USER and DASHBOARD_PASSWORD.',
}

/** What the HTTP server itself refuses, before any handler of ours has seen it. */
function refusedRequest(status: number): Problem {
  switch (status) {
    case 401:
      return SIGN_IN
    case 408:
      return { status, code: 'request-timeout', detail: 'The request did not arrive in time.' }
    case 413:
      return { status, code: 'too-large', detail: 'The body is larger than is allowed here.' }
    case 414:
      return { status, code: 'uri-too-long', detail: 'The address is longer than any here.' }
    case 415:
      return { status, code: 'content-type', detail: 'Send application/json.' }
    case 429:
      return { status, code: 'too-many-attempts', detail: 'Too many wrong passwords. Wait a moment.' }
    case 431:
      return { status, code: 'headers-too-large', detail: 'The headers are larger than is allowed.' }
    default:
      return { status: 400, code: 'bad-request', detail: 'The request cannot be read.' }
  }
}
