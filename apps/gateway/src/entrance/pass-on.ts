/**
 * Typing and uploads go on to WeChat, with the token that the workers keep in Redis or fetch when they are asked to: the
 * gateway has no app's secret. A refused token is reported; typing is then repeated once, an upload has flown past and cannot
 * be. Without a good token the answer is WeChat's own "busy", which clients repeat later; a 40001 would make them ask
 * for a new token of the gateway's, and that was not the trouble.
 */
import { type IncomingMessage } from 'node:http'
import { isTokenRefusal } from '@wechat-outbox/policy'
import type { Relay, RelayedCall } from '@wechat-outbox/wechat'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer, Refusal } from './answers.ts'
import { readJsonBody } from './body.ts'
import { type Sender, senderOf } from './credentials.ts'
import type { EntranceDeps } from './deps.ts'
import type { WechatTokens } from './wechat-token.ts'

const TOO_LARGE: Refusal = { errcode: 40_009, detail: 'the upload is too large', status: 413 }

export interface PassOnDeps extends EntranceDeps {
  readonly relay: Relay
  readonly tokens: WechatTokens
}

export async function passOnTyping(request: FastifyRequest, reply: FastifyReply, deps: PassOnDeps): Promise<Answer> {
  const sender = await senderOf(request, deps)
  if (sender.kind === 'refused') return sender.refusal
  const read = readJsonBody(request.body)
  if (read.kind === 'refused') return read.refusal
  const contentType = 'application/json; charset=utf-8'
  const call = { path: pathOf(request), contentType, body: JSON.stringify(read.body), signal: whenGone(reply) }
  return pass(sender, call, deps)
}

/** The form is not looked at: it goes through as it comes, as fast as WeChat takes it. */
export async function passOnUpload(request: FastifyRequest, reply: FastifyReply, deps: PassOnDeps): Promise<Answer> {
  const sender = await senderOf(request, deps)
  if (sender.kind === 'refused') return sender.refusal
  const contentType = request.headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    return { errcode: 47_001, detail: 'an upload must be multipart/form-data' }
  }
  const { type } = request.query as { readonly type?: string | string[] }
  const length = request.headers['content-length']
  const call: Omit<RelayedCall, 'token'> = {
    path: pathOf(request),
    query: type === undefined ? {} : { type: String(type) },
    contentType,
    body: request.body as IncomingMessage,
    contentLength: length === undefined ? undefined : Number(length),
    signal: whenGone(reply),
  }
  return pass(sender, call, deps)
}

/** The route, not the path: that one may be written in many ways. Here both are WeChat's. */
function pathOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? ''
}

/** Not the request's own signal: that fires as soon as the body has been read. */
function whenGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort()
  })
  return gone.signal
}

async function pass(
  sender: Extract<Sender, { kind: 'sender' }>,
  call: Omit<RelayedCall, 'token'>,
  { relay, log, tokens }: PassOnDeps,
): Promise<Answer> {
  const unsaid = (reason: string): Refusal => {
    log.warn({ event: 'entrance.not-passed-on', appid: sender.appid, path: call.path, reason })
    return { errcode: -1, detail: 'WeChat could not be asked, try again later' }
  }
  let refused: { readonly value: string; readonly errcode: number } | undefined
  for (;;) {
    const token = await tokens.get(sender, refused?.value)
    if (token === undefined) {
      return unsaid(refused === undefined ? 'there is no token of this app' : refusedBy(refused))
    }
    const passed = await relay.pass({ ...call, token })
    if (passed.kind === 'too-large') return TOO_LARGE
    if (passed.kind === 'broken') return unsaid(passed.detail)
    if (!isTokenRefusal(passed.errcode)) return passed.answer
    const again = refused === undefined && typeof call.body === 'string'
    refused = { value: token.value, errcode: passed.errcode }
    if (again) continue
    await tokens.report(sender, token.value)
    return unsaid(refusedBy(refused))
  }
}

const refusedBy = ({ errcode }: { readonly errcode: number }): string => `WeChat refuses the token (${errcode})`
