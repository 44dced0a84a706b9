/**
 * `/metrics`. On loopback anybody may read it; on a host that others reach it asks for a key with the right `read` for all
 * apps, because the names of apps and how much they send are nobody else's business. Prometheus sends such a key with
 * `authorization: {credentials: …}`.
 */
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Access } from './access.ts'
import { isLoopbackHost } from './same-site.ts'

export interface MetricsOptions {
  readonly registry: Registry
  readonly access: Access
  /** Where the gateway listens. */
  readonly host: string
}

export function addMetricsRoute(app: FastifyInstance, { registry, access, host }: MetricsOptions): void {
  const guard = isLoopbackHost(host) ? {} : { onRequest: access.require('read') }
  app.get('/metrics', guard, async (_request, reply) => {
    reply.header('cache-control', 'no-store').type(registry.contentType)
    return registry.metrics()
  })
}
