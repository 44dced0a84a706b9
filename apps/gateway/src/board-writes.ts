/**
 * What may be changed from the dashboard: a dead letter may be retried, or all of them. Nothing else, whatever the page
 * asks for; and every request to change something leaves one line in the log, without content.
 */
import { isDeadLetterId } from '@wechat-outbox/messages'
import { OutboxError } from '@wechat-outbox/outbox'
import { DEAD_LETTER_QUEUE, requestReplay, type Store } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readBoardName } from './board.ts'
import { type Problem, sendProblem } from './problem.ts'
import type { RedisLink } from './redis-link.ts'

/** Jobs moved by one script. Redis does nothing else meanwhile, and a thousand take about ten milliseconds. */
const BATCH = 1000
const RETRY_ALL_MS_MAX = 60_000
/** For the last batch, and for the answer that tells how far it came. */
const ANSWER_MS_MAX = 5000

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
const UNKNOWN: Problem = { status: 404, code: 'unknown-dead-letter', detail: 'There is no such dead letter.' }

/** Adds the routes inside the dashboard's own scope, whose hooks have checked who asks. */
export function addBoardWrites(app: FastifyInstance, options: WritesOptions): void {
  const { link, log, userOf } = options
  const audit = (request: FastifyRequest, done: { action: string; outcome: Outcome; count?: number }): void => {
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

  const retryAllRoute = '/api/queues/:queueName/retry/:queueStatus'
  app.put(retryAllRoute, { handlerTimeout: RETRY_ALL_MS_MAX + ANSWER_MS_MAX }, async (request, reply) => {
    const { queueName, queueStatus } = request.params as { queueName: string; queueStatus: string }
    const at = readBoardName(queueName)
    if (at?.queue !== DEAD_LETTER_QUEUE || queueStatus !== 'failed') return refuse(request, reply)
    const progress = { retried: 0 }
    const until = performance.now() + RETRY_ALL_MS_MAX
    // fastify's `request.signal` says that a request has been read to its end as well as that its caller has gone.
    const goesOn = (): boolean => !reply.raw.destroyed && performance.now() < until
    try {
      await retryAll(at.appid, await link.store(), { progress, goesOn })
    } catch (error) {
      audit(request, { action: 'retry-all', outcome: 'failed', count: progress.retried })
      throw error
    }
    audit(request, { action: 'retry-all', outcome: 'requested', count: progress.retried })
    return { retried: progress.retried, skipped: 0 }
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
  try {
    const asked = await requestReplay(await link.store(), appid, id)
    return asked.kind === 'requested' ? { outcome: 'requested' } : { outcome: 'unknown', problem: UNKNOWN }
  } catch (error) {
    if (!(error instanceof OutboxError && error.code === 'WXO_INVALID')) throw error
    const detail = 'This dead letter holds nothing that could be sent again.'
    return { outcome: 'refused', problem: { status: 409, code: 'not-replayable', detail } }
  }
}

/**
 * Makes every dead letter waiting that stands there now, in batches; a worker replays them. Those that cannot be replayed
 * come back as failed with a later time, so they are not met again and the loop ends.
 */
async function retryAll(
  appid: string,
  store: Store,
  at: { readonly progress: { retried: number }; readonly goesOn: () => boolean },
): Promise<void> {
  const backend = store.backend(appid, DEAD_LETTER_QUEUE)
  const failed = backend.keys.failed
  const until = Date.now()
  const total = await store.redis.zcount(String(failed), '-inf', until)
  for (let left = total; left > 0; left -= BATCH) {
    if (!at.goesOn()) return
    await backend.retryFinishedJobs('failed', Math.min(BATCH, left), until)
    at.progress.retried += Math.min(BATCH, left)
  }
}
