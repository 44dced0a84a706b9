/**
 * Typing and uploads go on to WeChat, with the token that the workers keep in Redis: the gateway has no app's secret and gets
 * none itself. Without a good token the answer is WeChat's own "busy", which clients repeat later; a 40001 would make them ask
 * for a new token of the gateway's, and that was not the trouble.
 */
import { type IncomingMessage } from 'node:http'
import { createTokenStore } from '@wechat-outbox/outbox'
import type { Relay, RelayedCall } from '@wechat-outbox/wechat'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer, Refusal } from './answers.ts'
import { readJsonBody } from './body.ts'
import { type Sender, senderOf } from './credentials.ts'
import type { EntranceDeps } from './deps.ts'

/** WeChat's say that a token is not good. */
const TOKEN_REFUSED: ReadonlySet<number> = new Set([40_001, 40_014, 42_001])

const TOO_LARGE: Refusal = { errcode: 40_009, detail: 'the upload is too large', status: 413 }

export interface PassOnDeps extends EntranceDeps {
  readonly relay: Relay
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
  { appid, store }: Extract<Sender, { kind: 'sender' }>,
  call: Omit<RelayedCall, 'token'>,
  { relay, log }: PassOnDeps,
): Promise<Answer> {
  const token = await createTokenStore(store, appid).read()
  const unsaid = (reason: string): Refusal => {
    log.warn({ event: 'entrance.not-passed-on', appid, path: call.path, reason })
    return { errcode: -1, detail: 'WeChat could not be asked, try again later' }
  }
  if (token === null || token.refused || token.leftMs <= 0) return unsaid('no worker has a token of this app')
  const passed = await relay.pass({ ...call, token })
  switch (passed.kind) {
    case 'too-large':
      return TOO_LARGE
    case 'broken':
      return unsaid(passed.detail)
    case 'answered':
      if (TOKEN_REFUSED.has(passed.errcode)) return unsaid(`WeChat refuses the token (${passed.errcode})`)
      return passed.answer
  }
}
