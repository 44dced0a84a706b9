/**
 * Calls to addresses that others name, such as a picture's URL in a message. Whoever writes such a URL must not reach through the worker
 * what the worker alone can reach. So only public addresses are called: a literal is looked at in whatever notation it was written,
 * because `URL` has put it into its one form, and the addresses of a name are looked at where the connection is made, so that no second
 * answer of the name server can be another one. Redirects are followed by hand, each of them looked at like the first URL.
 *
 * Through a forward proxy the proxy finds the addresses of names, and its access rules are what protects the network.
 */
import { lookup as lookupDns } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { buildConnector, type Dispatcher } from 'undici'
import { createDispatcher, type ProxySettings } from './dispatcher.ts'
import { requestFault } from './faults.ts'
import { createNameLookup } from './name-lookup.ts'
import { isPublicAddress } from './public-address.ts'
import { readBytes } from './read-bytes.ts'

export interface PublicClientOptions {
  /** Names or literals, without port, whose addresses may be private. */
  readonly allowedHosts: readonly string[]
  /** Calls under way at once for one origin; further ones wait, within their time. */
  readonly connections: number
  readonly proxy?: ProxySettings | undefined
  /** Finds the addresses of a name; unless given, the system's resolver those of allowed hosts, and the name servers all others. */
  readonly lookup?: LookupFunction
}

export interface PublicRequest {
  /** http or https. Its user, password and fragment are not sent. */
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The whole call, redirects included. */
  readonly timeoutMs: number
  /** Of the answer's body. Bodies are never decompressed. */
  readonly bytesMax: number
  /** The answer is there with its head: its body is thrown away, `bytesMax` of it at most, and may break off or never end. */
  readonly ignoresBody?: boolean
  /** 0: a redirect is an answer like any other. Only a GET may follow any. */
  readonly redirectsMax: number
  readonly signal?: AbortSignal | undefined
}

/** No detail holds a part of a URL, a header or an address. */
export type PublicAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** By lower-case names. */
      readonly headers: Readonly<Record<string, string>>
      /** Empty with any other status than 200 to 299: such an answer is its status, however long a page comes with it. */
      readonly body: Buffer
    }
  | { readonly kind: 'too-large'; readonly status: number; readonly detail: string }
  /** The URL, or one that it leads to, is not to be called, however often it is tried. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** No whole answer has come. */
  | { readonly kind: 'broken'; readonly detail: string }

export interface PublicClient {
  /** Never rejects. */
  request(request: PublicRequest): Promise<PublicAnswer>
  /** Ends what is under way. */
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 3000
/** Limits without a call's own; each call has a shorter one. */
const TIMEOUT_MS_MAX = 60_000
const NOTHING = Buffer.alloc(0)
const NO_PUBLIC_ADDRESS = 'the host has no public address'

class PrivateAddressError extends Error {}

export function createPublicClient(options: PublicClientOptions): PublicClient {
  const { connections, proxy, lookup } = options
  const allowed = new Set(options.allowedHosts.map((host) => bare(host.toLowerCase())))
  const mayCall = (host: string) => allowed.has(host) || isPublicAddress(host)
  const agent = createDispatcher({
    connections,
    timeoutMs: TIMEOUT_MS_MAX,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    proxy,
    connect: buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup: lookupOf(allowed, lookup) }),
  })

  async function follow(request: PublicRequest, signal: AbortSignal): Promise<PublicAnswer> {
    let url = request.url
    for (let left = request.redirectsMax; ; left -= 1) {
      const problem = problemOf(url, mayCall)
      if (problem !== undefined) return { kind: 'refused', detail: problem }
      const answer = await exchange(agent, { ...request, url, signal })
      const target = answer.kind === 'answered' && request.redirectsMax > 0 ? redirectOf(answer) : undefined
      if (target === undefined) return answer
      if (left === 0) return { kind: 'refused', detail: `more than ${request.redirectsMax} redirects` }
      const next = nextUrl(url, target)
      if (next.problem !== undefined) return { kind: 'refused', detail: next.problem }
      url = next.url
    }
  }

  return {
    async request(request) {
      const late = AbortSignal.timeout(Math.max(0, Math.floor(Math.min(request.timeoutMs, TIMEOUT_MS_MAX))))
      try {
        const signal = request.signal === undefined ? late : AbortSignal.any([late, request.signal])
        // Undici lets nobody go who waits for a connection.
        return await Promise.race([follow(request, signal), failureOn(signal)])
      } catch (error) {
        if (error instanceof PrivateAddressError) return { kind: 'refused', detail: NO_PUBLIC_ADDRESS }
        if (late.aborted) return { kind: 'broken', detail: 'timeout' }
        return { kind: 'broken', detail: request.signal?.aborted ? 'aborted' : requestFault(error) }
      }
    },
    close: () => agent.destroy(),
  }
}

function failureOn(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  const fail = (): void => reject(signal.reason)
  if (signal.aborted) fail()
  else signal.addEventListener('abort', fail, { once: true })
  return promise
}

/** What keeps a URL from being called, before anything is asked of a name server. */
function problemOf(text: string, mayCall: (host: string) => boolean): string | undefined {
  if (!URL.canParse(text)) return 'not a URL'
  const { protocol, hostname } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') return 'neither http nor https'
  const host = bare(hostname)
  return isIP(host) !== 0 && !mayCall(host) ? 'not a public address' : undefined
}

async function exchange(
  agent: Dispatcher,
  { url, method, headers, body, bytesMax, ignoresBody = false, signal }: PublicRequest,
): Promise<PublicAnswer> {
  const { origin, pathname, search } = new URL(url)
  const answer = await agent.request({
    origin,
    method,
    path: pathname + search,
    headers: { 'user-agent': 'wechat-outbox', 'accept-encoding': 'identity', ...headers },
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  })
  const status = answer.statusCode
  const tooLarge = { kind: 'too-large', status, detail: `larger than ${bytesMax} bytes` } as const
  const fields = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const)
  const given = Object.fromEntries(fields)
  if (ignoresBody) {
    // So that the connection can serve the next call.
    void answer.body.dump({ limit: bytesMax }).catch(() => undefined)
    return { kind: 'answered', status, headers: given, body: NOTHING }
  }
  const isSuccess = answer.statusCode >= 200 && answer.statusCode <= 299
  if (!isSuccess || Number(given['content-length']) > bytesMax) {
    // Nobody reads it; what its stream fails with is of no use.
    answer.body.on('error', () => {}).destroy()
    return isSuccess ? tooLarge : { kind: 'answered', status: answer.statusCode, headers: given, body: NOTHING }
  }
  const bytes = await readBytes(answer.body, bytesMax)
  return bytes === null ? tooLarge : { kind: 'answered', status, headers: given, body: bytes }
}

function redirectOf({ status, headers }: { status: number; headers: Readonly<Record<string, string>> }) {
  return [301, 302, 303, 307, 308].includes(status) ? headers['location'] : undefined
}

/** Where a redirect leads to. Not from https to http, where anybody on the way could put another answer in. */
export function nextUrl(from: string, target: string): { url: string; problem?: undefined } | { problem: string } {
  if (!URL.canParse(target, from)) return { problem: 'a redirect to no URL' }
  const { href, protocol } = new URL(target, from)
  if (new URL(from).protocol === 'https:' && protocol === 'http:') return { problem: 'a redirect from https to http' }
  return { url: href }
}

/** Answers with the public addresses alone, and with an error where there are none. */
function lookupOf(allowed: ReadonlySet<string>, lookup: LookupFunction | undefined): LookupFunction {
  const lookupAllowed = lookup ?? (lookupDns as LookupFunction)
  const lookupOther = lookup ?? createNameLookup()
  return (host, options, callback) => {
    if (allowed.has(host.toLowerCase())) return lookupAllowed(host, options, callback)
    lookupOther(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, [])
      const addresses = (typeof found === 'string' ? [] : found).filter(({ address }) => isPublicAddress(address))
      const [first] = addresses
      if (first === undefined) return callback(new PrivateAddressError(NO_PUBLIC_ADDRESS), [])
      if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/** An IPv6 literal without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/u, '$1')
}
