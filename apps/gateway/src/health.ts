/** `/healthz`: the process lives and its event loop turns. `/readyz`: it reaches Redis. Probes need no sign-in. */
import type { FastifyInstance } from 'fastify'
import type { RedisLink } from './redis-link.ts'

export function addHealthRoutes(app: FastifyInstance, link: RedisLink): void {
  app.get('/healthz', (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const ready = await link.answers()
    const status = ready ? 'ready' : 'redis is not available'
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status })
  })
}
