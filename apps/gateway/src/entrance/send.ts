/** A message on its way in: `ok` is said when Redis has it, and never before. */
import type { SendRequest } from '@wechat-outbox/messages'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceparentOf } from '../traceparent.ts'
import { type Answer, OK, tooMany } from './answers.ts'
import { readJsonBody } from './body.ts'
import { senderOf } from './credentials.ts'
import type { EntranceDeps } from './deps.ts'
import { judgeMessage, refusalOf, tidyMessage } from './judge.ts'

/** @throws what is not about the message: Redis away while the token was looked up, or a bug */
export async function acceptMessage(request: FastifyRequest, reply: FastifyReply, deps: EntranceDeps): Promise<Answer> {
  const sender = await senderOf(request, deps)
  if (sender.kind === 'refused') return sender.refusal
  const read = readJsonBody(request.body)
  if (read.kind === 'refused') return read.refusal
  const refusal = judgeMessage(read.body, deps.texts)
  if (refusal !== null) return refusal
  const key = idempotencyKeyOf(request, read.body)
  if (key === null) return { errcode: 47_001, detail: 'idempotencyKey is not what the header Idempotency-Key says' }
  if (sender.caller.messages.spend(1) > 0) return tooMany('messages')
  const message = {
    ...tidyMessage(read.body, sender.appid),
    ...onClosedOf(request),
    ...traceOf(request, read.body),
    ...key,
    appid: sender.appid,
  } as SendRequest
  try {
    const { id, duplicate } = await deps.outbox.send(message)
    // WeChat has no id to answer with; who wants to follow the message finds ours here.
    reply.header('outbox-message-id', id)
    if (duplicate) reply.header('idempotent-replayed', 'true')
    return OK
  } catch (error) {
    const refused = refusalOf(error)
    if (refused === null) throw error
    return refused
  }
}

/** What an SDK cannot write into WeChat's body may stand in a header; judged with the rest of the message. */
function onClosedOf({ headers }: FastifyRequest): { readonly onClosed?: string } {
  const header = headers['outbox-on-closed']
  return header === undefined ? {} : { onClosed: String(header) }
}

/** The message's own wins, as everywhere. */
function traceOf(
  request: FastifyRequest,
  { traceparent }: { readonly traceparent?: unknown },
): { readonly traceparent?: string } {
  const header = (traceparent ?? null) === null ? traceparentOf(request) : undefined
  return header === undefined ? {} : { traceparent: header }
}

/** Null when the two places in which it may stand contradict each other. */
function idempotencyKeyOf({ headers }: FastifyRequest, body: object): { readonly idempotencyKey?: string } | null {
  const header = headers['idempotency-key']
  if (header === undefined) return {}
  const key = String(header)
  const { idempotencyKey: own = null } = body as { readonly idempotencyKey?: unknown }
  return own !== null && own !== key ? null : { idempotencyKey: key }
}
