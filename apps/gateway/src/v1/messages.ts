/** Where messages stand, one or a person's, and taking one back. */
import { isMessageId } from '@wechat-outbox/messages'
import { listPersonMessages } from '@wechat-outbox/outbox/engine'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Problem, sendProblem } from '../problem.ts'
import type { V1Deps } from './add-v1.ts'
import { guarded, noQuery, readParameters } from './read.ts'
import { messagesQuery } from './schemas.ts'
import { shownReport } from './times.ts'

export async function listMessages({ store }: V1Deps, request: FastifyRequest) {
  const { appid, query } = readParameters(request, messagesQuery)
  const { items, next } = await guarded(async () => listPersonMessages(await store(), appid, query))
  return { items: items.map(shownReport), next }
}

export async function readMessage({ outbox }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  // Whatever else stands under the prefix of messages is not asked for.
  const report = isMessageId(id) ? await outbox.status(id, appid) : null
  return report === null ? sendProblem(reply, UNKNOWN) : shownReport(report)
}

export async function cancelMessage({ outbox }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  switch (isMessageId(id) ? await outbox.cancel(id, appid) : 'unknown') {
    case 'cancelled':
      return { id, status: 'cancelled' }
    case 'too-late':
      return sendProblem(reply, TOO_LATE)
    case 'unknown':
      return sendProblem(reply, UNKNOWN)
  }
}

const UNKNOWN: Problem = {
  status: 404,
  code: 'unknown-message',
  detail: 'There is no such message, or it is no longer retained.',
}
const TOO_LATE: Problem = {
  status: 409,
  code: 'too-late',
  detail: 'The message has ended, or something of it may have reached WeChat.',
}
