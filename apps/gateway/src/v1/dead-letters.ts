/** Dead letters over HTTP: pages of them, how many there are, one, discarding and replaying it. */
import { check, type DeadLetterFilter, isDeadLetterId } from '@wechat-outbox/messages'
import * as engine from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { notReplayable, type Problem, sendProblem } from '../problem.ts'
import type { V1Deps } from './add-v1.ts'
import { countQuery, filterSchema, listQuery } from './operator-schemas.ts'
import { guarded, invalid, noQuery, readParameters } from './read.ts'
import { shownLetter } from './times.ts'

export async function listDeadLetters({ store }: V1Deps, request: FastifyRequest) {
  const { appid, query } = readParameters(request, listQuery)
  const { limit, cursor, ...given } = query
  const asked = { ...readFilter(given), limit, cursor }
  const { items, next } = await guarded(async () => engine.listDeadLetters(await store(), appid, asked))
  return { items: items.map(shownLetter), next }
}

export async function countDeadLetters({ store }: V1Deps, request: FastifyRequest) {
  const { appid, query } = readParameters(request, countQuery)
  const { by, ...given } = query
  const asked = { filter: readFilter(given), by, reasons: reasonKeys() }
  return guarded(async () => engine.countDeadLetters(await store(), appid, asked))
}

/** What no parameter can say alone: that times are in order. @throws OutboxError WXO_INVALID */
function readFilter(given: object): DeadLetterFilter {
  const filter = check(given, filterSchema)
  if (filter.ok) return filter.value
  throw invalid(filter.problems)
}

export async function readDeadLetter({ store }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  const letter = await guarded(async () => engine.readDeadLetter(await store(), appid, id))
  return letter === null ? sendProblem(reply, UNKNOWN) : shownLetter(letter)
}

export async function discardDeadLetter(deps: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  if (!isDeadLetterId(id)) return sendProblem(reply, UNKNOWN)
  switch (await guarded(async () => engine.discardDeadLetter(await deps.store(), { appid, id }, deps.rememberMs))) {
    case 'discarded':
      return { id, status: 'discarded' }
    case 'being-replayed':
      return sendProblem(reply, BEING_REPLAYED)
    case 'unknown': {
      // Its answer may have been lost on the way: twice is once, as long as it is remembered.
      const report = await deps.outbox.status(`m-${id.slice(2)}`, appid)
      return report?.status === 'discarded' ? { id, status: 'discarded' } : sendProblem(reply, UNKNOWN)
    }
  }
}

export async function replayDeadLetter({ store }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  if (!isDeadLetterId(id)) return sendProblem(reply, UNKNOWN)
  const asked = await guarded(async () => engine.requestReplay(await store(), appid, id))
  if (asked.kind === 'unknown') return sendProblem(reply, UNKNOWN)
  if (asked.kind === 'not-replayable') return sendProblem(reply, notReplayable(asked.why))
  reply.code(202).header('location', `/v1/apps/${appid}/messages/${asked.id}`)
  return { id: asked.id, replayOf: asked.replayOf }
}

const UNKNOWN: Problem = {
  status: 404,
  code: 'unknown-dead-letter',
  detail: 'There is no such dead letter: replayed, discarded or expired, or it never was.',
}
const BEING_REPLAYED: Problem = {
  status: 409,
  code: 'being-replayed',
  detail: 'Somebody has asked for its replay, so it cannot be discarded.',
}
