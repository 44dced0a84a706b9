/** Sending over HTTP: one message, or a batch of them. The Outbox checks them, stores them and recognises repeats. */
import { limitProblems, PROBLEMS_MAX, underPath } from '@wechat-outbox/messages'
import { OutboxError, type SendResult } from '@wechat-outbox/outbox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemBody, problemOf } from '../problem.ts'
import type { V1Deps } from './add-v1.ts'
import { invalid, readBatch, readMessage } from './read.ts'

export async function sendMessage({ outbox, schema }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const message = readMessage(request, schema)
  const { id, status, duplicate } = await outbox.send(message as never)
  const { appid } = request.params as { appid: string }
  reply.code(duplicate ? 200 : 202).header('location', `/v1/apps/${appid}/messages/${id}`)
  if (duplicate) reply.header('idempotent-replayed', 'true')
  return { id, status }
}

export async function sendBatch({ outbox, schema }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const prepared = readBatch(request, schema)
  const sent = await outbox.sendMany(prepared.flatMap((one) => ('request' in one ? [one.request as never] : [])))
  const left = sent.values()
  const results = prepared.map((one): SendResult => {
    if ('problems' in one) return { error: invalid(one.problems) }
    return left.next().value ?? { error: new OutboxError('WXO_CONFIG', 'a message has no result') }
  })
  // With nothing stored and Redis in the way, it is the request that failed.
  const errors = results.flatMap((result) => ('error' in result ? [result.error] : []))
  const away = errors.find(({ code }) => code === 'WXO_UNAVAILABLE' || code === 'WXO_FULL')
  if (away !== undefined && errors.length === results.length) throw away
  reply.code(207)
  // Of all messages together, beside the first of each.
  let problemsLeft = PROBLEMS_MAX
  return {
    results: results.map((result, index) => {
      if (!('error' in result)) return { id: result.id, status: result.status }
      const error = atPlace(index, result.error, problemsLeft)
      problemsLeft -= error.issues.length
      return problemBody(problemOf(error))
    }),
  }
}

/** The problems of one message, with paths as they are in the batch. */
function atPlace(index: number, error: OutboxError, max: number): OutboxError {
  if (error.code !== 'WXO_INVALID') return error
  const issues = limitProblems(error.issues, max).map((problem) => underPath(problem, `messages.${index}`))
  return new OutboxError('WXO_INVALID', error.message, { issues })
}
