/**
 * `/cgi-bin`: WeChat's own interface, so that any SDK gains the outbox when its base URL points here. What a client gets to see
 * is WeChat's: paths, form, codes, and HTTP 200 whatever the answer is. docs/wechat-compatible.md says how to point SDKs here
 * and what differs.
 *
 *   GET  /token                    a token for appid and secret, where the secret is an API key of the gateway
 *   POST /stable_token             the same, and the same again
 *   POST /message/custom/send      a message for the outbox
 *   POST /message/custom/typing    passed on to WeChat, as is /message/custom/business/typing
 *   POST /media/upload             passed on to WeChat
 */
import { messageWithCause, within } from '@wechat-outbox/outbox/engine'
import { createRelay } from '@wechat-outbox/wechat'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { takeAnyBody } from '../any-body.ts'
import { routeTemplate } from '../route-template.ts'
import { createShares } from '../shares.ts'
import { type Answer, BUSY, isRefusal, type Refusal, sendAnswer } from './answers.ts'
import { readJsonBody } from './body.ts'
import { grantToken } from './credentials.ts'
import type { EntranceDeps } from './deps.ts'
import { type PassOnDeps, passOnTyping, passOnUpload } from './pass-on.ts'
import { acceptMessage } from './send.ts'

const PREFIX = '/cgi-bin'
const TOKEN = '/token'
const STABLE_TOKEN = '/stable_token'
const SEND = '/message/custom/send'
const TYPING_PATHS = ['/message/custom/typing', '/message/custom/business/typing']
const UPLOAD = '/media/upload'

/** A client of WeChat's waits five seconds or so, and Redis has two to answer in. */
const STORE_MS_MAX = 1800
const PASS_MS_MAX = 12_000
/** Together with the wait for a token, and less than the gateway gives any request. */
const PASS_ANSWER_MS_MAX = 14_000
/** Calls to WeChat that are under way: for all, and for one key or app. An upload is in memory as a whole. */
const TYPING = { total: 64, each: 16 }
const UPLOADS = { total: 24, each: 8 }
/** WeChat takes images of 2 MB, in documents of its own up to 10. */
const UPLOAD_BYTES_MAX = 10 * 1024 * 1024

type Handle = (request: FastifyRequest, reply: FastifyReply) => Promise<Answer>

export async function addEntrance(app: FastifyInstance, deps: EntranceDeps): Promise<void> {
  const { wechatBaseUrl: baseUrl, allowHttp, proxy, log } = deps
  const callsMax = TYPING.total + UPLOADS.total
  const relay = createRelay({ baseUrl, allowHttp, proxy, callsMax, timeoutMs: PASS_MS_MAX })
  app.addHook('onClose', () => relay.close())
  const places = { typing: createShares(TYPING), uploads: createShares(UPLOADS) }
  const passing: PassOnDeps = { ...deps, uploadBytesMax: UPLOAD_BYTES_MAX, places, relay }
  const answering = (handle: Handle, msMax: number) => async (request: FastifyRequest, reply: FastifyReply) => {
    const answered = handle(request, reply).catch((error: unknown) => {
      log.warn({ event: 'entrance.failed', route: routeTemplate(request), error: messageWithCause(error) })
      return BUSY
    })
    const answer = await within(answered, msMax, BUSY)
    if (isRefusal(answer)) logRefusal(request, answer)
    return sendAnswer(reply, answer)
  }
  // Without the detail: it names fields, and somebody's content may have ended up in such a name.
  const logRefusal = (request: FastifyRequest, { errcode }: Refusal): void => {
    log.info({ event: 'entrance.refused', route: routeTemplate(request), errcode, key: request.caller?.id })
  }

  await app.register(
    async (scope) => {
      takeAnyBody(scope, { keeps: PREFIX + UPLOAD })
      scope.setErrorHandler((error, _request, reply) => sendAnswer(reply, refusalOfHttp(error)))
      const store = { exposeHeadRoute: false } as const
      scope.get(TOKEN, store, answering(grantRandom(deps), STORE_MS_MAX))
      scope.post(STABLE_TOKEN, answering(grantStable(deps), STORE_MS_MAX))
      scope.post(
        SEND,
        answering((request, reply) => acceptMessage(request, reply, deps), STORE_MS_MAX),
      )
      const typing = answering((request, reply) => passOnTyping(request, reply, passing), PASS_ANSWER_MS_MAX)
      for (const path of TYPING_PATHS) scope.post(path, typing)
      scope.all('/*', (request, reply) => sendAnswer(reply, refusalOfPath(request)))
      await scope.register(async (uploads) => {
        uploads.removeAllContentTypeParsers()
        uploads.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
        uploads.post(
          UPLOAD,
          answering((request, reply) => passOnUpload(request, reply, passing), PASS_ANSWER_MS_MAX),
        )
      })
    },
    { prefix: PREFIX },
  )
}

const grantRandom =
  (deps: EntranceDeps): Handle =>
  (request) => {
    const { grant_type: grantType, appid, secret } = request.query as Readonly<Record<string, unknown>>
    return grantToken(request, { grantType, appid, secret, force: undefined }, deps)
  }

const grantStable =
  (deps: EntranceDeps): Handle =>
  async (request) => {
    const read = readJsonBody(request.body)
    if (read.kind === 'refused') return read.refusal
    const { grant_type: grantType, appid, secret, force_refresh: force } = read.body
    return grantToken(request, { grantType, appid, secret, force: force === true }, deps)
  }

/** What HTTP has to refuse before a handler sees it. */
function refusalOfHttp(error: unknown): Refusal {
  const { statusCode: status } = (error ?? {}) as { readonly statusCode?: unknown }
  if (status === 413) return { errcode: 45_002, detail: 'the body is too large', status: 413 }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return { errcode: 47_001, detail: 'the request cannot be read', status }
  }
  return BUSY
}

function refusalOfPath(request: FastifyRequest): Refusal {
  const path = request.url.split('?', 1)[0]?.slice(PREFIX.length) ?? ''
  if (path === TOKEN) return { errcode: 43_001 }
  if ([STABLE_TOKEN, SEND, UPLOAD, ...TYPING_PATHS].includes(path)) return { errcode: 43_002 }
  return {
    errcode: 40_066,
    detail: 'the gateway takes messages, and passes typing and uploads on. Ask WeChat for the rest',
  }
}
