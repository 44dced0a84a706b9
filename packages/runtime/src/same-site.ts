/**
 * Keeps other web sites out, for every process that answers HTTP. A page elsewhere can make a browser send requests to a
 * loopback address or into a private network, with the credentials the browser remembers, and can even read the answers if
 * its own name is made to point there. So the name asked for must be one of ours, a page elsewhere may load nothing, and a
 * request that changes something must come from our own page or from no page at all.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP, isIPv6 } from 'node:net'

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
  /** Where the process listens. */
  readonly host: string
  /** Whether that is a loopback address. */
  readonly isLoopback: boolean
  /** Further names under which it is reached, as `readHostnames` takes them. */
  readonly allowedHosts: string | undefined
  /**
   * On another host than loopback nobody knows under which names it is reached, unless told. `any`: every name will do,
   * because keys protect, and a browser hands the credentials of one name to no other. `private`: those that no web site
   * can have, for what asks for no key.
   */
  readonly unnamed: 'any' | 'private'
}

export interface SameSiteRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** What its body may be, if it has one. Default: JSON. */
  readonly bodies?: AcceptedBodies
}

/**
 * `form`: what the forms of our own pages send. A page elsewhere may send such a body without asking first, which it may not with JSON or
 * an image, so the browser has to say where it comes from.
 */
export type AcceptedBodies = 'json' | 'form' | 'image' | 'any'

/** `host`: not known under this name. `origin`: another web site asks, or one that is not told. `content-type`: another body than is accepted. */
export type SiteFault = 'host' | 'origin' | 'content-type'

/** Makes the check. It returns what is wrong with a request, or null. */
export function createSameSiteCheck(options: SameSiteOptions): (request: SameSiteRequest) => SiteFault | null {
  const { host, isLoopback, allowedHosts, unnamed } = options
  const given = readHostnames(allowedHosts) ?? undefined
  const names = new Set([...LOOPBACK_NAMES, asHeader(host).toLowerCase(), ...(given ?? [])])
  const isOpen = given === undefined && !isLoopback
  const isOurs = (name: string): boolean => names.has(name) || (isOpen && (unnamed === 'any' || isPrivateName(name)))
  return ({ method, headers, bodies = 'json' }) => {
    const header = headers.host ?? ''
    const name = hostnameIn(header)
    if (name === null || !isOurs(name)) return 'host'
    if (isRead(method)) return isForeignRead(headers) ? 'origin' : null
    if (isForeignFetch(headers) || !isOwnOrigin(headers.origin, header)) return 'origin'
    if (bodies === 'form' && headers.origin === undefined && headers['sec-fetch-site'] === undefined) return 'origin'
    return isAcceptedBody(headers, bodies) ? null : 'content-type'
  }
}

export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** An address, a name without a dot (a service of Compose or Kubernetes), or one under a domain that nobody can register. */
function isPrivateName(name: string): boolean {
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || !name.includes('.') || /\.(?:local|internal)$/.test(name)
}

/** A link from elsewhere may lead here; a script or an image elsewhere may not load anything. */
function isForeignRead(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate'
}

/** Browsers say where a request comes from, and no page can change that. */
function isForeignFetch(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

function isOwnOrigin(origin: string | undefined, host: string): boolean {
  // The scheme may differ: TLS ends at a proxy in front.
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host.toLowerCase())
}

const TYPES = {
  json: /^application\/json\s*(?:;|$)/i,
  form: /^application\/x-www-form-urlencoded\s*(?:;|$)/i,
  image: /^(?:image\/[\w.+-]+|application\/octet-stream)\s*(?:;|$)/i,
  any: /^/,
} as const satisfies Record<AcceptedBodies, RegExp>

function isAcceptedBody(headers: IncomingHttpHeaders, bodies: AcceptedBodies): boolean {
  const type = headers['content-type']
  if (type !== undefined || bodies === 'any') return TYPES[bodies].test(type ?? '')
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
}
