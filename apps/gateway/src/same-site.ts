/** The gateway's rules against other web sites: those of `runtime`, for every path but health, and before anything else is looked at. */
import { createSameSiteCheck, type SiteFault } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import type { FastifyInstance } from 'fastify'
import { type Problem, sendProblem } from './problem.ts'

/** Probes ask by whatever address a pod has, learn nothing and change nothing. */
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

/** WeChat's SDKs send their JSON as what they please; what lets them in is a token that no page elsewhere knows. */
const ANY_TYPE_PREFIX = '/cgi-bin/'

export interface GuardOptions {
  /** Where the gateway listens. */
  readonly host: string
  readonly allowedHosts: string | undefined
}

/** Goes by the route and never by the path, which can be written in many ways. What has no route is checked, too. */
export function addSameSiteGuard(app: FastifyInstance, options: GuardOptions): void {
  const check = createSameSiteCheck({ ...options, isLoopback: isLoopback(options.host), unnamed: 'any' })
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request
    const route = request.routeOptions.url
    const anyType = route?.startsWith(ANY_TYPE_PREFIX) ?? false
    const fault = OPEN_ROUTES.has(route) ? null : check({ method, headers, anyType })
    if (fault === null) done()
    else sendProblem(reply, PROBLEM_OF[fault])
  })
}

const PROBLEM_OF: Readonly<Record<SiteFault, Problem>> = {
  host: {
    status: 403,
    code: 'host',
    detail: 'The gateway is not known under this name. GATEWAY_ALLOWED_HOSTS lists further ones.',
  },
  origin: { status: 403, code: 'origin', detail: 'This request comes from another web site.' },
  'content-type': { status: 415, code: 'content-type', detail: 'Send application/json, or no body at all.' },
}
