/** Sending over HTTP: one message, or a batch of them. The Outbox checks them, stores them and recognises repeats. */
import { limitProblems, PROBLEMS_MAX, underPath } from '@wechat-outbox/messages'
import { OutboxError, type SendResult } from '@wechat-outbox/outbox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendTooMany } from '../access.ts'
import { problemBody, problemOf } from '../problem.ts'
import { inPieces } from '../turns.ts'
import type { V1Deps } from './add-v1.ts'
import { invalid, readBatch, readMessage } from './read.ts'

export async function sendMessage({ outbox, schema }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const message = readMessage(request, schema)
  const waitMs = request.caller?.messages.spend(1) ?? 0
  if (waitMs > 0) return sendTooMany(reply, 'messages', waitMs)
  const { id, status, duplicate } = await outbox.send(message as never)
  const { appid } = request.params as { appid: string }
  reply.code(duplicate ? 200 : 202).header('location', `/v1/apps/${appid}/messages/${id}`)
  if (duplicate) reply.header('idempotent-replayed', 'true')
  return { id, status }
}

export async function sendBatch({ outbox, schema }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const batch = readBatch(request, schema)
  const waitMs = request.caller?.messages.spend(batch.count) ?? 0
  if (waitMs > 0) return sendTooMany(reply, 'messages', waitMs)
  const sending = await inPieces(batch.messages, async (one): Promise<SendResult> => {
    if ('problems' in one) return { error: invalid(one.problems) }
    return outbox.send(one.request as never).catch((error: OutboxError) => ({ error }))
  })
  const results = await Promise.all(sending)
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
