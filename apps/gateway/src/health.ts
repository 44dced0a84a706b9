/** `/healthz`: the process lives and its event loop turns. `/readyz`: it reaches a Redis that takes messages. Probes need no sign-in. */
import type { RedisReadiness } from '@wechat-outbox/outbox/engine'
import type { FastifyInstance } from 'fastify'
import type { RedisLink } from './redis-link.ts'

const STATUS: Readonly<Record<RedisReadiness, string>> = {
  ready: 'ready',
  refuses: 'redis refuses messages',
  away: 'redis is not available',
}

export function addHealthRoutes(app: FastifyInstance, link: RedisLink): void {
  app.get('/healthz', (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const readiness = await link.readiness()
    return reply
      .code(readiness === 'ready' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: STATUS[readiness] })
  })
}
