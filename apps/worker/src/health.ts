/**
 * `/healthz`: the process lives. `/readyz`: it fetches messages and reaches its Redis, so that they can flow; not yet while
 * it starts, and no longer once it has been told to end. `/metrics`: for Prometheus; it
 * asks for no key, so a worker listens on loopback unless told otherwise.
 */
import { answersInTime, type RedisClient } from '@wechat-outbox/outbox'
import { fastify } from 'fastify'
import type { Registry } from 'prom-client'

export interface HealthOptions {
  readonly redis: RedisClient
  readonly registry: Registry
  /** Whether the worker fetches messages. */
  readonly isRunning: () => boolean
  readonly host: string
  readonly port: number
}

export async function startHealthServer({ redis, registry, isRunning, host, port }: HealthOptions) {
  const server = fastify({ logger: false, requestTimeout: 5000, bodyLimit: 1024 })
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const answers = await answersInTime(redis)
    const status = !answers ? 'redis is not available' : isRunning() ? 'ready' : 'starting or ending'
    return reply.code(status === 'ready' ? 200 : 503).send({ status })
  })
  server.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  const url = await server.listen({ host, port })
  return { url, close: () => server.close() }
}
