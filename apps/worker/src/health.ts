/**
 * `/healthz`: the process lives. `/readyz`: it fetches messages and reaches its Redis, so that they can flow; not yet while
 * it starts, and no longer once it has been told to end, nor while Redis refuses to record what came of messages. `/metrics`: for Prometheus; it
 * asks for no key, so a worker listens on loopback unless told otherwise.
 */
import { answersInTime, type RedisClient } from '@wechat-outbox/outbox/engine'
import { fastify } from 'fastify'
import type { Registry } from 'prom-client'

export interface HealthOptions {
  readonly redis: RedisClient
  readonly registry: Registry
  /** Whether the worker fetches messages. */
  readonly isRunning: () => boolean
  /** While Redis refuses what the worker asks of it: of how many messages it does not take what came of them. */
  readonly refused: () => number | undefined
  readonly host: string
  readonly port: number
}

export async function startHealthServer({ redis, registry, isRunning, refused, host, port }: HealthOptions) {
  const server = fastify({ logger: false, requestTimeout: 5000, bodyLimit: 1024 })
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const answers = await answersInTime(redis)
    const status = statusOf(answers, isRunning(), refused())
    return reply.code(status === 'ready' ? 200 : 503).send({ status })
  })
  server.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  const url = await server.listen({ host, port })
  return { url, close: () => server.close() }
}

function statusOf(answers: boolean, isRunning: boolean, refused: number | undefined): string {
  if (!answers) return 'redis is not available'
  if (refused === 0) return 'redis refuses to hand out messages'
  if (refused !== undefined) return `redis refuses to record ${refused} outcomes`
  return isRunning ? 'ready' : 'starting or ending'
}
