/**
 * Keeps other web sites out. A page elsewhere can make a browser send requests to a loopback address or into a private
 * network, with the credentials the browser remembers, and can even read the answers if its own name is made to point
 * there. So the name asked for must be one of ours, and a request that changes something must come from the dashboard's
 * own page or from no page at all. It holds for every path but health, and before anything else is looked at.
 */
import { isIPv6 } from 'node:net'
import { isLoopback } from '@wechat-outbox/wechat'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Problem, sendProblem } from './problem.ts'

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]']

/** Names from a comma-separated list; undefined for none given, null when one of them cannot be a host's. */
export function readHostnames(list: string | undefined): string[] | undefined | null {
  if (list === undefined) return undefined
  const names = list.split(',').map((name) => hostnameIn(asHeader(name.trim())))
  return names.every((name) => name !== null) ? names : null
}

const asHeader = (name: string): string => (isIPv6(name) ? `[${name}]` : name)

/** The name in a Host header, without its port; null when it is not one. */
function hostnameIn(header: string): string | null {
  const [, name] = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?$/i.exec(header) ?? []
  return name === undefined ? null : name.toLowerCase()
}

export interface SameSiteOptions {
  /** Where the gateway listens. */
  readonly host: string
  readonly allowedHosts: string | undefined
}

/** Probes ask by whatever address a pod has, learn nothing and change nothing. */
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

/** WeChat's SDKs send their JSON as what they please; what lets them in is a token that no page elsewhere knows. */
const ANY_TYPE_PREFIX = '/cgi-bin/'

/** Goes by the route and never by the path, which can be written in many ways. What has no route is checked, too. */
export function addSameSiteGuard(app: FastifyInstance, options: SameSiteOptions): void {
  const check = createSameSiteCheck(options)
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url
    const problem = OPEN_ROUTES.has(route) ? null : check(request, route?.startsWith(ANY_TYPE_PREFIX) ?? false)
    if (problem === null) done()
    else sendProblem(reply, problem)
  })
}

/** Makes the check. It returns what is wrong with a request, or null. */
function createSameSiteCheck({
  host,
  allowedHosts,
}: SameSiteOptions): (request: FastifyRequest, anyType: boolean) => Problem | null {
  const given = readHostnames(allowedHosts) ?? undefined
  const names = new Set([...LOOPBACK_NAMES, asHeader(host).toLowerCase(), ...(given ?? [])])
  // On another host than loopback nobody knows under which names it is reached, unless told; there keys and the sign-in
  // protect, because a browser hands the credentials of one name to no other.
  const anyName = given === undefined && !isLoopback(host)
  return (request, anyType) => {
    const header = request.headers.host ?? ''
    const name = hostnameIn(header)
    if (name === null || !(anyName || names.has(name))) return FOREIGN_HOST
    if (isRead(request)) return isForeignRead(request) ? FOREIGN_PAGE : null
    if (isForeignFetch(request) || !isOwnOrigin(request.headers.origin, header)) return FOREIGN_PAGE
    return !anyType && hasUnexpectedBody(request) ? WRONG_BODY : null
  }
}

export function isRead(request: FastifyRequest): boolean {
  return request.method === 'GET' || request.method === 'HEAD'
}

const FOREIGN_HOST: Problem = {
  status: 403,
  code: 'host',
  detail: 'The gateway is not known under this name. GATEWAY_ALLOWED_HOSTS lists further ones.',
}
const FOREIGN_PAGE: Problem = { status: 403, code: 'origin', detail: 'This request comes from another web site.' }
const WRONG_BODY: Problem = { status: 415, code: 'content-type', detail: 'Send application/json, or no body at all.' }

/** A link from elsewhere may lead here; a script or an image elsewhere may not load anything. */
function isForeignRead({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate'
}

/** Browsers say where a request comes from, and no page can change that. */
function isForeignFetch({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

function isOwnOrigin(origin: string | undefined, host: string): boolean {
  // The scheme may differ: TLS ends at a proxy in front.
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host.toLowerCase())
}

function hasUnexpectedBody({ headers }: FastifyRequest): boolean {
  const type = headers['content-type']
  if (type !== undefined) return !/^application\/json\s*(?:;|$)/i.test(type)
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
