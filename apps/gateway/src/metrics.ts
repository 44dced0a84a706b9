/**
 * `/metrics`. On loopback anybody may read it; on a host that others reach it asks for a key with the right `read` for all
 * apps, because the names of apps and how much they send are nobody else's business. Prometheus sends such a key with
 * `authorization: {credentials: …}`.
 */
import { readKnownApps } from '@wechat-outbox/outbox/engine'
import { addBacklogMetrics, createRegistry } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import type { FastifyInstance } from 'fastify'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Access } from './access.ts'
import { APPS_MAX } from './apps-max.ts'
import type { GatewayConfig } from './env.ts'
import type { RedisLink } from './redis-link.ts'
import { routeTemplate } from './route-template.ts'

export interface MetricsOptions {
  readonly config: GatewayConfig
  readonly link: RedisLink
  readonly access: Access
}

/** Before other routes: it counts the requests of those that come after it. Returns where they may add their own. */
export function addMetrics(app: FastifyInstance, { config, link, access }: MetricsOptions): Registry {
  const registry = createRegistry()
  addBacklogMetrics(registry, {
    store: () => link.store(),
    apps: async (store) => (await readKnownApps(store, config.WECHAT_APP_ID)).slice(0, APPS_MAX),
  })
  countRequests(app, registry)
  const guard = isLoopback(config.GATEWAY_HOST) ? {} : { onRequest: access.require('read') }
  app.get('/metrics', guard, async (_request, reply) => {
    reply.header('cache-control', 'no-store').type(registry.contentType)
    return registry.metrics()
  })
  return registry
}

/** Node takes some hundred names of methods, and of a caller's choice; these are the ones that the routes have. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function countRequests(app: FastifyInstance, registry: Registry): void {
  const registers = [registry]
  const requests = new Counter({
    name: 'wxo_http_requests_total',
    help: 'Answered requests, by the template of their route.',
    labelNames: ['route', 'method', 'status'],
    registers,
  })
  const duration = new Histogram({
    name: 'wxo_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['route'],
    buckets: [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10],
    registers,
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = routeTemplate(request)
    const method = METHODS.has(request.method) ? request.method : 'other'
    requests.inc({ route, method, status: String(reply.statusCode) })
    duration.observe({ route }, reply.elapsedTime / 1000)
    done()
  })
}
