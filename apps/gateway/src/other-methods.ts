/** A known address with another method: 405, and what it takes. Said before any body is read. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { sendProblem } from './problem.ts'

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

export function refuseOtherMethods(app: FastifyInstance, url: string, allowed: readonly HTTPMethods[]): void {
  const allow = allowed.join(', ')
  const refuse = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendProblem(reply.header('allow', allow), {
      status: 405,
      code: 'method-not-allowed',
      detail: `This address takes ${allow}.`,
    })
  const method = METHODS.filter((one) => !allowed.includes(one))
  app.route({ method, url, onRequest: (request, reply) => void refuse(request, reply), handler: refuse })
}
