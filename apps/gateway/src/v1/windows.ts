/** Reply windows over HTTP: what a user did goes in, and what WeChat would take comes out. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { V1Deps } from './add-v1.ts'
import { noQuery, readBody, readParameters } from './read.ts'
import { userAction } from './window-operations.ts'

export async function recordAction({ outbox }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, openid, body } = readBody(request, userAction)
  await outbox.userActed({ ...body, touser: openid, appid })
  return reply.code(204).send()
}

export async function readWindow({ outbox }: V1Deps, request: FastifyRequest) {
  const { appid, openid } = readParameters(request, noQuery)
  return outbox.window(openid, appid)
}
