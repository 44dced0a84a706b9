/**
 * `/healthz`: the process lives. `/readyz`: it fetches messages and reaches its Redis, so that they can flow; not yet while
 * it starts, and no longer once it has been told to end, nor while Redis refuses to record what came of messages. `/metrics`: for Prometheus; it
 * asks for no key, so a worker listens on loopback unless told otherwise, and pages of other web sites get none of it. Nothing
 * of a request is ever repeated.
 */
import type { RequestListener, Server } from 'node:http'
import { type RedisClient, type RedisReadiness, readReadiness } from '@wechat-outbox/outbox/engine'
import { createHttpServer, createSameSiteCheck, type SiteFault } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import { type FastifyReply, fastify } from 'fastify'
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
  /** Further names under which it is reached, separated by commas. */
  readonly allowedHosts?: string | undefined
}

/** Probes ask by whatever address a pod has, learn nothing and change nothing. */
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

const SAYS: Readonly<Record<SiteFault, string>> = {
  host: 'the worker is not known under this name: WORKER_ALLOWED_HOSTS lists further ones',
  origin: 'this request comes from another web site',
  'content-type': 'send application/json, or no body at all',
}

const REQUEST_MS_MAX = 5000
const refusal = { type: 'application/json; charset=utf-8', body: '{"status":"too many requests are not answered yet"}' }

export async function startHealthServer(options: HealthOptions) {
  const { redis, registry, isRunning, refused, host, port, allowedHosts } = options
  const badRequest = (_error: unknown, _request: unknown, reply: FastifyReply) =>
    reply.code(400).send({ status: 'this cannot be read' })
  // fastify's own answers repeat the address that was asked for, and the error's text.
  const frameworkErrors = badRequest as (...given: Parameters<typeof badRequest>) => void
  const serverFactory = (handle: RequestListener): Server =>
    createHttpServer(handle, { requestMsMax: REQUEST_MS_MAX, refusal })
  const server = fastify({ logger: false, bodyLimit: 1024, frameworkErrors, serverFactory })
  server.setErrorHandler(badRequest)
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ status: 'there is nothing here' }))
  const check = createSameSiteCheck({ host, isLoopback: isLoopback(host), allowedHosts, unnamed: 'private' })
  server.addHook('onRequest', (request, reply, done) => {
    const fault = OPEN_ROUTES.has(request.routeOptions.url) ? null : check(request)
    if (fault === null) done()
    else void reply.code(fault === 'content-type' ? 415 : 403).send({ status: SAYS[fault] })
  })
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const readiness = await readReadiness(redis)
    const status = statusOf(readiness, isRunning(), refused())
    return reply.code(status === 'ready' ? 200 : 503).send({ status })
  })
  server.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  const url = await server.listen({ host, port })
  return { url, close: () => server.close() }
}

function statusOf(readiness: RedisReadiness, isRunning: boolean, refused: number | undefined): string {
  if (readiness === 'away') return 'redis is not available'
  if (refused !== undefined && refused > 0) return `redis refuses to record ${refused} outcomes`
  if (refused === 0 || readiness === 'refuses') return 'redis refuses to hand out messages'
  return isRunning ? 'ready' : 'starting or ending'
}
