/**
 * `/v1/apps/{appid}/push`: WeChat's own message push, so that reply windows are fed without any code of the service. WeChat calls it without an
 * API key; its signature is what lets it in. What the user did is recorded while the untouched push goes on to the service that received
 * it before, and WeChat gets the service's answer, within the five seconds that it waits.
 *
 * WeChat pushes three times until it gets a 200. So it gets one only when the action is stored and the service, where there is one, has answered
 * with one; a repeat changes nothing in the ledger, and services expect repeats.
 */
import { type Outbox, OutboxError } from '@wechat-outbox/outbox'
import { messageOf, within } from '@wechat-outbox/outbox/engine'
import { createSeldom, type Logger, proxyOf } from '@wechat-outbox/runtime'
import { createForwarder, type Forwarded, type Forwarder } from '@wechat-outbox/wechat'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import { takeAnyBody } from '../any-body.ts'
import type { GatewayConfig } from '../env.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { NOT_FOUND, type Problem, problemOf, sendProblem } from '../problem.ts'
import { createShares, type Shares } from '../shares.ts'
import { type CountPush, createPushCounter } from './count-pushes.ts'
import { openPushApps } from './push-apps.ts'
import { actionOf, isContainerCheck, type PushedAction } from './read-push.ts'
import { type Addressed, type RefusalReason, type Refused, verifyBody, verifyHead } from './verify.ts'

export const PUSH_PATH = '/v1/apps/:appid/push'

/** WeChat waits five seconds, from before the push has arrived here. */
const ANSWER_MS_MAX = 4500
/** Pushes that services have not answered yet, of all apps and of one. With body and answer each takes up to 128 KiB. */
const FORWARDS_MAX = { total: 256, each: 128 }
const FORWARDED_ANSWER_BYTES_MAX = 65_536
const ECHO_CHARS_MAX = 256
const SUCCESS = 'success'

export interface PushDeps {
  readonly config: GatewayConfig
  readonly outbox: Pick<Outbox, 'userActed'>
  readonly registry: Registry
  readonly log: Logger
}

declare module 'fastify' {
  interface FastifyRequest {
    /** A push whose head is WeChat's. */
    push?: Addressed | undefined
  }
}

/** @throws ConfigError with every problem of the apps file */
export async function addPush(app: FastifyInstance, { config, outbox, registry, log }: PushDeps): Promise<void> {
  const apps = openPushApps(config, log)
  const forwarder = createForwarder({
    connections: FORWARDS_MAX.each,
    answerBytesMax: FORWARDED_ANSWER_BYTES_MAX,
    timeoutMs: ANSWER_MS_MAX,
    proxy: proxyOf(config),
  })
  app.addHook('onClose', async () => {
    apps.close()
    await forwarder.close()
  })
  const places = createShares(FORWARDS_MAX)
  const count = createPushCounter(registry)
  const seldom = createSeldom()
  const warn = (line: PushLine): void => {
    seldom(`${line.event} ${line.appid} ${line.reason}`, (times) => log.warn({ ...line, times }))
  }
  const refuse = (reply: FastifyReply, appid: string, { reason }: Refused): FastifyReply => {
    count(appid, 'refused')
    warn({ event: 'push.refused', appid, reason })
    return sendProblem(reply, PROBLEM_OF[reason] ?? NOT_WECHAT)
  }
  const onRequest = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const { appid } = request.params as { readonly appid: string }
    const settings = apps.find(appid)
    reply.header('cache-control', 'no-store')
    if (settings === undefined) return void sendProblem(reply, NOT_FOUND)
    const query = request.query as Readonly<Record<string, unknown>>
    const head = verifyHead({ appid, config: settings, query, isCheck: request.method === 'GET', now: Date.now() })
    if (head.kind === 'refused') return void refuse(reply, appid, head)
    request.push = head
    done()
  }
  await app.register(async (scope) => {
    scope.decorateRequest('push')
    takeAnyBody(scope)
    scope.setErrorHandler((error, request, reply) => {
      const problem = problemOf(error)
      if (problem.status !== 413 || request.push === undefined) throw error
      return refuse(reply, request.push.appid, { kind: 'refused', reason: 'too-large' })
    })
    scope.get(PUSH_PATH, { exposeHeadRoute: false, onRequest }, (request, reply) => {
      const { echostr } = request.query as { readonly echostr?: unknown }
      if (typeof echostr === 'string' && echostr.length <= ECHO_CHARS_MAX) return sendText(reply, echostr)
      return refuse(reply, appidOf(request), { kind: 'refused', reason: 'query' })
    })
    scope.post(PUSH_PATH, { onRequest }, async (request, reply) => {
      const push = pushOf(request)
      const body = Buffer.isBuffer(request.body) ? request.body : EMPTY
      const verified = verifyBody(body, push)
      if (verified.kind === 'refused') return refuse(reply, push.appid, verified)
      if (isContainerCheck(verified.fields)) return sendText(reply, SUCCESS)
      const action = actionOf(verified.fields)
      const [stored, forwarded] = await Promise.all([
        store(action, push.appid, outbox),
        forward({ request, reply, push, body }, { forwarder, places }),
      ])
      return answer(reply, { appid: push.appid, stored, forwarded }, { count, warn })
    })
    refuseOtherMethods(scope, PUSH_PATH, ['GET', 'POST'])
  })
}

const EMPTY = Buffer.alloc(0)

function pushOf({ push }: FastifyRequest): Addressed {
  if (push === undefined) throw new Error('the hook lets no other request through')
  return push
}

const appidOf = (request: FastifyRequest): string => pushOf(request).appid

/** As text, so that no browser takes it for a page. */
function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(text)
}

/** The same is written once in ten seconds, with how often it happened; never what was pushed. */
interface PushLine {
  readonly event: 'push.refused' | 'push.unstored' | 'push.forward-failed'
  readonly appid: string
  readonly reason: string
}

const PROBLEM_OF: Partial<Record<RefusalReason, Problem>> = {
  body: { status: 400, code: 'bad-request', detail: 'The body is neither JSON nor XML of WeChat’s.' },
  'too-large': { status: 413, code: 'too-large', detail: 'The body is larger than is allowed here.' },
}

/** What is wrong is for the operator to know, from the log, and not for whoever tries. */
const NOT_WECHAT: Problem = { status: 403, code: 'push-refused', detail: 'This is no push of WeChat’s to this app.' }

/** `nothing`: there is nothing to store. */
type Stored = { readonly kind: 'stored' | 'nothing' } | { readonly kind: 'failed'; readonly error: unknown }

async function store(action: PushedAction | undefined, appid: string, outbox: PushDeps['outbox']): Promise<Stored> {
  if (action === undefined) return { kind: 'nothing' }
  const stored = outbox.userActed({ ...action, appid }).then((): Stored => ({ kind: 'stored' }))
  try {
    return await within(stored, STORE_MS_MAX, LATE)
  } catch (error) {
    // A time that is none, for instance: WeChat would repeat it in vain.
    if (error instanceof OutboxError && error.code === 'WXO_INVALID') return { kind: 'nothing' }
    return { kind: 'failed', error }
  }
}

/** A call of the Outbox gives up after two seconds. */
const STORE_MS_MAX = 3000
const LATE: Stored = { kind: 'failed', error: new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time') }

interface Incoming {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly push: Addressed
  readonly body: Buffer
}

/** Undefined: the app has no service to go on to. */
async function forward(
  { request, reply, push, body }: Incoming,
  { forwarder, places }: { readonly forwarder: Forwarder; readonly places: Shares },
): Promise<Forwarded | undefined> {
  const url = push.config.forwardUrl
  if (url === undefined) return undefined
  const leave = places.take(1, [push.appid])
  if (leave === null) {
    return { kind: 'broken', isLate: false, detail: 'as many pushes are under way as the app or the gateway may have' }
  }
  try {
    const [, query = ''] = /\?(.*)$/s.exec(request.raw.url ?? '') ?? []
    const [contentType] = request.raw.headersDistinct['content-type'] ?? []
    const timeoutMs = ANSWER_MS_MAX - reply.elapsedTime
    return await forwarder.forward({ url, query, contentType, body, timeoutMs })
  } finally {
    leave()
  }
}

interface Ended {
  readonly appid: string
  readonly stored: Stored
  readonly forwarded: Forwarded | undefined
}

interface Told {
  readonly count: CountPush
  readonly warn: (line: PushLine) => void
}

function answer(reply: FastifyReply, { appid, stored, forwarded }: Ended, { count, warn }: Told): FastifyReply {
  if (stored.kind === 'failed') {
    count(appid, 'unstored')
    warn({ event: 'push.unstored', appid, reason: messageOf(stored.error) })
    return sendProblem(reply, problemOf(stored.error))
  }
  const failure = forwarded && failureOf(forwarded)
  if (failure !== undefined) {
    count(appid, 'forward-failed')
    warn({ event: 'push.forward-failed', appid, reason: failure.reason })
    return sendProblem(reply, failure.problem)
  }
  count(appid, stored.kind === 'stored' ? 'recorded' : 'ignored')
  if (forwarded?.kind !== 'answered') return sendText(reply, SUCCESS)
  return reply.code(forwarded.status).headers(forwarded.headers).send(forwarded.body)
}

/** Why WeChat must ask again. */
function failureOf(forwarded: Forwarded): { readonly reason: string; readonly problem: Problem } | undefined {
  if (forwarded.kind === 'broken') {
    return { reason: forwarded.detail, problem: forwarded.isLate ? SERVICE_LATE : SERVICE_FAILED }
  }
  const { status } = forwarded
  return status >= 200 && status < 300 ? undefined : { reason: `HTTP ${status}`, problem: SERVICE_FAILED }
}

const SERVICE_FAILED: Problem = {
  status: 502,
  code: 'forward-failed',
  detail: 'What the user did is stored; the service behind the gateway did not take the push.',
}
const SERVICE_LATE: Problem = {
  status: 504,
  code: 'forward-late',
  detail: 'What the user did is stored; the service behind the gateway did not answer in time.',
}
