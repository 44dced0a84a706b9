/**
 * Who is asking, and may they? One place for `/v1`, for the entrance that speaks WeChat's own language, and for metrics.
 *
 * With keys, a request carries one as a bearer token. Without, the gateway listens on loopback only and every caller is
 * `local` with all rights; what keeps a browser's pages out there is in same-site.ts.
 *
 * A wrong key costs a wait once it has been tried a few times. The right one never does: behind a proxy all callers have
 * one address, and a single service with an old key in a loop must not lock out the others. Guessing gains nothing by
 * that, because a key is too long to be guessed at any speed.
 */
import { digestApiKey, type Logger, RIGHTS, type Right } from '@wechat-outbox/runtime'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { createBrake } from './brake.ts'
import type { KeyRing } from './key-ring.ts'
import type { Key } from './keys.ts'
import { type Problem, sendProblem } from './problem.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

export type { Right }

export interface Caller {
  /** The key's id, which may be logged; `local` where no keys are asked for. */
  readonly id: string
  /**
   * Under which a token is handed out: the id and a print of the key, so that what one key was given ends when its id gets
   * another one.
   */
  readonly holder: string
  /** Whether the caller may do this with an app. '*' asks for a key that is not bound to some. */
  may(right: Right, appid: string): boolean
  readonly requests: RateLimit
  readonly messages: RateLimit
}

export interface Access {
  /**
   * Makes the hook that lets a request through or answers it: 401, 403, 429. The app is the route's `:appid`; a route
   * without one asks for a key of all apps. The caller stands in `request.caller` from then on.
   */
  require(right: Right): onRequestHookHandler
  /** Whose key it is. `from` is the remote address. */
  identify(key: string, from: string): Promise<Caller | 'unknown' | 'slow-down'>
  /** The caller to whom something was handed out earlier, as long as the very key is valid. */
  byHolder(holder: string): Caller | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Whoever was let in; its id stands in the request's log line. */
    caller?: Caller | undefined
  }
}

/** No app has this name. */
const ALL_APPS = '*'

const KEY_CHARS_MAX = 512
const REFUSALS_PER_SECOND_MAX = 100

const LOCAL: Caller = {
  id: 'local',
  holder: 'local',
  may: (right) => RIGHTS.includes(right),
  requests: createRateLimit(undefined),
  messages: createRateLimit(undefined),
}

export function createAccess(ring: KeyRing, log: Logger): Access {
  const brake = createBrake({ failuresPerSecondMax: REFUSALS_PER_SECOND_MAX })
  const callers = new WeakMap<Key, Caller>()
  const callerOf = (key: Key): Caller => {
    const known = callers.get(key) ?? callerWith(key)
    callers.set(key, known)
    return known
  }
  const identify = (key: string, from: string): Caller | 'unknown' | { readonly waitMs: number } => {
    if (!ring.required) return LOCAL
    const found = key.length > KEY_CHARS_MAX ? undefined : ring.find(digestApiKey(key))
    if (found !== undefined) return callerOf(found)
    const waitMs = brake.waitMs(from)
    if (waitMs > 0) return { waitMs }
    log.warn({ event: 'key.refused', address: from, failures: brake.failed(from) })
    return 'unknown'
  }
  return {
    require: (right) => (request, reply, done) => {
      const caller = ring.required ? identifyRequest(request, reply, identify) : LOCAL
      if (caller === undefined) return
      request.caller = caller
      const waitMs = caller.requests.spend(1)
      if (waitMs > 0) return void sendTooMany(reply, 'requests', waitMs)
      const { appid = ALL_APPS } = (request.params ?? {}) as { readonly appid?: string }
      if (caller.may(right, appid)) return done()
      reply.header('www-authenticate', `${CHALLENGE}, error="insufficient_scope"`)
      sendProblem(reply, FORBIDDEN)
    },
    async identify(key, from) {
      const found = identify(key, from)
      return typeof found === 'object' && 'waitMs' in found ? 'slow-down' : found
    },
    byHolder(holder) {
      if (!ring.required) return holder === LOCAL.holder ? LOCAL : undefined
      const key = ring.byId(holder.slice(0, holder.lastIndexOf(HOLDER_MARK)))
      const caller = key && callerOf(key)
      return caller?.holder === holder ? caller : undefined
    },
  }
}

/** Stands in no id. */
const HOLDER_MARK = '~'
/** 96 bits: nobody makes a key that looks like another. */
const PRINT_CHARS = 16

function callerWith({ id, digest, apps, rights, requestsPerSecond, messagesPerSecond }: Key): Caller {
  return {
    id,
    holder: id + HOLDER_MARK + digest.toString('base64url').slice(0, PRINT_CHARS),
    may: (right, appid) => rights.includes(right) && (apps?.includes(appid) ?? true),
    requests: createRateLimit(requestsPerSecond),
    messages: createRateLimit(messagesPerSecond),
  }
}

/** The caller's key has a limit that is reached. */
export function sendTooMany(reply: FastifyReply, what: 'requests' | 'messages', waitMs: number): FastifyReply {
  reply.header('retry-after', String(Math.ceil(waitMs / 1000)))
  const detail = `The API key has as many ${what} in a second as it may.`
  return sendProblem(reply, { status: 429, code: 'too-many-requests', detail })
}

/** The caller, or undefined after the request has been answered. */
function identifyRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  identify: (key: string, from: string) => Caller | 'unknown' | { readonly waitMs: number },
): Caller | undefined {
  const [, key] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? []
  if (key === undefined) {
    reply.header('www-authenticate', CHALLENGE)
    sendProblem(reply, MISSING)
    return undefined
  }
  const found = identify(key, request.ip)
  if (found === 'unknown') {
    reply.header('www-authenticate', `${CHALLENGE}, error="invalid_token"`)
    sendProblem(reply, UNKNOWN)
  } else if ('waitMs' in found) {
    reply.header('retry-after', String(Math.ceil(found.waitMs / 1000)))
    sendProblem(reply, SLOW_DOWN)
  } else return found
  return undefined
}

const CHALLENGE = 'Bearer realm="wechat-outbox"'
const MISSING: Problem = { status: 401, code: 'key-missing', detail: 'Send an API key: `Authorization: Bearer KEY`.' }
const UNKNOWN: Problem = { status: 401, code: 'key-unknown', detail: 'The API key is not valid.' }
const FORBIDDEN: Problem = { status: 403, code: 'forbidden', detail: 'The API key does not allow this for this app.' }
const SLOW_DOWN: Problem = { status: 429, code: 'too-many-attempts', detail: 'Too many wrong keys. Wait a moment.' }
