/**
 * What may be changed from the dashboard: a dead letter may be retried. Nothing else, whatever the page asks for, and not all of
 * them at once: Bull Board does not tell beforehand what that would send and to whom, and has no way back. Every
 * request to change something leaves one line in the log, without content.
 */
import { isDeadLetterId } from '@wechat-outbox/messages'
import { DEAD_LETTER_QUEUE, requestReplay } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readBoardName } from './board.ts'
import { notReplayable, type Problem, sendProblem } from './problem.ts'
import type { RedisLink } from './redis-link.ts'

/** `requested`: they will be replayed, by a worker and at its rate. */
type Outcome = 'requested' | 'refused' | 'unknown' | 'failed'

export interface WritesOptions {
  readonly link: RedisLink
  readonly log: Logger
  /** Who is signed in, for the log. */
  readonly userOf: (request: FastifyRequest) => string
}

const REFUSED: Problem = {
  status: 403,
  code: 'read-only',
  detail: 'The dashboard only retries dead letters. Everything else is for the wxo command line.',
}
const RETRY_ALL_OFF: Problem = {
  status: 409,
  code: 'retry-all-off',
  detail:
    'Retry all is off here: open /dead-letters, which shows beforehand what a replay sends, or use wxo dead replay.',
}
const UNKNOWN: Problem = { status: 404, code: 'unknown-dead-letter', detail: 'There is no such dead letter.' }

/** Adds the routes inside the dashboard's own scope, whose hooks have checked who asks. */
export function addBoardWrites(app: FastifyInstance, options: WritesOptions): void {
  const { link, log, userOf } = options
  const audit = (request: FastifyRequest, done: { action: string; outcome: Outcome }): void => {
    const { queueName = '', jobId = '' } = request.params as { queueName?: string; jobId?: string }
    // A name or an id that is not one of ours may hold anything, so it is not repeated.
    const at = readBoardName(queueName)
    const id = /^[dm]-[0-9A-Za-z-]{1,64}$/.test(jobId) ? { id: jobId } : {}
    const app = at === null ? {} : { appid: at.appid, queue: at.queue }
    log.info({ event: 'dashboard.write', method: request.method, ...app, ...id, ...done, user: userOf(request) })
  }
  const refuse = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    audit(request, { action: 'refused', outcome: 'refused' })
    return sendProblem(reply, REFUSED)
  }

  app.put('/api/queues/:queueName/:jobId/retry', async (request, reply) => {
    const { queueName, jobId } = request.params as { queueName: string; jobId: string }
    const at = readBoardName(queueName)
    if (at?.queue !== DEAD_LETTER_QUEUE) return refuse(request, reply)
    const retried = await retryOne(at.appid, jobId, link).catch((error: unknown) => {
      audit(request, { action: 'retry', outcome: 'failed' })
      throw error
    })
    audit(request, { action: 'retry', outcome: retried.outcome })
    return retried.problem === undefined ? reply.code(204).send() : sendProblem(reply, retried.problem)
  })

  app.put('/api/queues/:queueName/retry/:queueStatus', (request, reply) => {
    const { queueName, queueStatus } = request.params as { queueName: string; queueStatus: string }
    const at = readBoardName(queueName)
    if (at?.queue !== DEAD_LETTER_QUEUE || queueStatus !== 'failed') return refuse(request, reply)
    audit(request, { action: 'retry-all', outcome: 'refused' })
    return sendProblem(reply, RETRY_ALL_OFF)
  })

  const everythingElse = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']
  for (const url of ['/', '/*']) app.route({ method: everythingElse, url, handler: refuse })
}

async function retryOne(
  appid: string,
  id: string,
  link: RedisLink,
): Promise<{ readonly outcome: Outcome; readonly problem?: Problem }> {
  if (!isDeadLetterId(id)) return { outcome: 'unknown', problem: UNKNOWN }
  const asked = await requestReplay(await link.store(), appid, id)
  if (asked.kind === 'not-replayable') return { outcome: 'refused', problem: notReplayable(asked.why) }
  return asked.kind === 'requested' ? { outcome: 'requested' } : { outcome: 'unknown', problem: UNKNOWN }
}
