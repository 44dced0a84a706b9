/**
 * Everything that goes wrong, as RFC 9457 problem details. What a client reads is written here and never taken from an
 * error: those carry addresses, commands and headers.
 */
import { messageOf, OutboxError } from '@wechat-outbox/outbox'
import type { Logger } from '@wechat-outbox/runtime'
import type { FastifyInstance, FastifyReply } from 'fastify'

export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
}

const titles: Record<number, string> = {
  400: 'Bad request',
  401: 'Sign-in needed',
  403: 'Refused',
  404: 'Not found',
  409: 'Not possible now',
  413: 'Too large',
  415: 'Unsupported media type',
  429: 'Too many attempts',
  500: 'Internal error',
  503: 'Not available',
}

/** Answers with a problem. `error` repeats the detail: it is the field that the dashboard's page shows. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, code, detail } = problem
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json; charset=utf-8')
    .send(
      JSON.stringify({ type: 'about:blank', title: titles[status] ?? 'Refused', status, code, detail, error: detail }),
    )
}

/** The last word on every error that nobody answered. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error: unknown, request, reply) => {
    const problem = problemOf(error)
    if (problem.status >= 500) {
      const route = request.routeOptions.url ?? 'unmatched'
      log.warn({ event: 'http.failed', method: request.method, route, status: problem.status, error: messageOf(error) })
    }
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, NOT_FOUND))
}

export const NOT_FOUND: Problem = { status: 404, code: 'not-found', detail: 'There is nothing here.' }

const REDIS_AWAY: Problem = {
  status: 503,
  code: 'redis-unavailable',
  detail: 'Redis is not available. Try again in a moment.',
}

/** What ioredis and BullMQ say when the connection, and not the command, is the trouble. */
const connectionLost =
  /Connection is closed|Stream isn't writeable|ECONN|EPIPE|ETIMEDOUT|Socket timeout|timed out|max retries per request|LOADING|CLUSTERDOWN|MASTERDOWN/i

function problemOf(error: unknown): Problem {
  if (error instanceof OutboxError && error.code === 'WXO_UNAVAILABLE') return REDIS_AWAY
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown }
  if (code === 'FST_ERR_HANDLER_TIMEOUT')
    return { status: 503, code: 'timeout', detail: 'This took too long and was given up.' }
  if (code === 'FST_BASIC_AUTH_MISSING_OR_BAD_AUTHORIZATION_HEADER' || statusCode === 401) {
    return { status: 401, code: 'sign-in', detail: 'Sign in with DASHBOARD_USER and DASHBOARD_PASSWORD.' }
  }
  if (statusCode === 429)
    return { status: 429, code: 'too-many-attempts', detail: 'Too many wrong passwords. Wait a moment.' }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, code: 'bad-request', detail: 'The request cannot be read.' }
  }
  if (connectionLost.test(messageOf(error))) return REDIS_AWAY
  return { status: 500, code: 'internal', detail: 'Something failed; the log says what.' }
}
