/** Sending over HTTP: one message, or a batch of them. The Outbox checks them, stores them and recognises repeats. */
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
  return {
    results: results.map((result, index) =>
      'error' in result ? problemAt(index, result.error) : { id: result.id, status: result.status },
    ),
  }
}

/** The problem of one message, with paths as they are in the batch. */
function problemAt(index: number, error: OutboxError): Record<string, unknown> {
  if (error.code !== 'WXO_INVALID') return problemBody(problemOf(error))
  const issues = error.issues.map(({ path, message }) => ({
    path: path === '' ? `messages.${index}` : `messages.${index}.${path}`,
    message,
  }))
  return problemBody(problemOf(invalid(issues)))
}
