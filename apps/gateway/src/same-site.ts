/** The gateway's rules against other web sites: those of `runtime`, for every path but health, and before anything else is looked at. */
import { type AcceptedBodies, createSameSiteCheck, type SiteFault } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import type { FastifyInstance } from 'fastify'
import { DEAD_LETTERS_PATH } from './dead-letters-page/links.ts'
import { type Problem, sendProblem } from './problem.ts'
import { PUSH_PATH } from './push/add-push.ts'
import { MEDIA_ROUTE } from './v1/media-operation.ts'

/** Probes ask by whatever address a pod has, learn nothing and change nothing. */
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

/** WeChat's SDKs send their JSON with any content type; what lets them in is a token that no page elsewhere knows. */
const ANY_TYPE_PREFIX = '/cgi-bin/'

/** The operator's page works without JavaScript, and so by forms. */
const FORM_PREFIX = `${DEAD_LETTERS_PATH}/`

export interface GuardOptions {
  /** Where the gateway listens. */
  readonly host: string
  readonly allowedHosts: string | undefined
}

/** Goes by the route and never by the path, which can be written in many ways. What has no route is checked, too. */
export function addSameSiteGuard(app: FastifyInstance, options: GuardOptions): void {
  const check = createSameSiteCheck({ ...options, isLoopback: isLoopback(options.host), unnamed: 'any' })
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers, raw } = request
    const route = request.routeOptions.url
    const isOpen = OPEN_ROUTES.has(route)
    const fault = isOpen
      ? null
      : hasTwoHosts(raw.rawHeaders)
        ? 'host'
        : check({ method, headers, bodies: bodiesOf(route) })
    if (fault === null) done()
    else sendProblem(reply, PROBLEM_OF[fault])
  })
}

/** Node keeps the first and drops the others, and something in front of the gateway may have gone by another one. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

function bodiesOf(route: string | undefined): AcceptedBodies {
  // WeChat pushes XML, too; its signature is what no page elsewhere knows.
  if (route?.startsWith(ANY_TYPE_PREFIX) || route === PUSH_PATH) return 'any'
  if (route === MEDIA_ROUTE) return 'image'
  return route?.startsWith(FORM_PREFIX) ? 'form' : 'json'
}

const PROBLEM_OF: Readonly<Record<SiteFault, Problem>> = {
  host: {
    status: 403,
    code: 'host',
    detail: 'The gateway is not known under this name. GATEWAY_ALLOWED_HOSTS lists further ones.',
  },
  origin: { status: 403, code: 'origin', detail: 'This request comes from another web site.' },
  'content-type': {
    status: 415,
    code: 'content-type',
    detail: 'Send application/json, a picture where one is asked for, or no body at all.',
  },
}
