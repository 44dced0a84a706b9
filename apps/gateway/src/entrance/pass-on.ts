/**
 * Typing and uploads go on to WeChat, with the token that the workers keep in Redis or fetch when they are asked to: the
 * gateway has no app's secret. A refused token is reported, and the call repeated once. Without a good token the answer is WeChat's own "busy", which clients repeat later; a 40001 would make them ask
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
import { tidyUploadForm } from './upload-form.ts'
import type { WechatTokens } from './wechat-token.ts'

const TOO_LARGE: Refusal = { errcode: 40_009, detail: 'the upload is too large', status: 413 }

export interface PassOnDeps extends EntranceDeps {
  readonly relay: Relay
  readonly tokens: WechatTokens
  readonly uploadBytesMax: number
  readonly uploads: { underWay: number }
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

/** Kept in memory at once, each up to its limit. */
const UPLOADS_MAX = 16

/**
 * The form is read to its end before it goes on, because WeChat takes none whose length it is not told at the beginning, and
 * the file gets a name that WeChat understands. Nothing is read of a caller who may not send.
 */
export async function passOnUpload(request: FastifyRequest, reply: FastifyReply, deps: PassOnDeps): Promise<Answer> {
  const sender = await senderOf(request, deps)
  if (sender.kind === 'refused') return sender.refusal
  const contentType = request.headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    return { errcode: 47_001, detail: 'an upload must be multipart/form-data' }
  }
  const { type } = request.query as { readonly type?: string | string[] }
  const path = pathOf(request)
  if (deps.uploads.underWay >= UPLOADS_MAX) {
    return notPassed({ sender, path, log: deps.log }, `${UPLOADS_MAX} uploads are under way`)
  }
  deps.uploads.underWay += 1
  try {
    const form = await readForm(request, deps.uploadBytesMax)
    if (form === null) return TOO_LARGE
    const body = tidyUploadForm(form, contentType) ?? form
    const query = type === undefined ? {} : { type: String(type) }
    return await pass(sender, { path, query, contentType, body, signal: whenGone(reply) }, deps)
  } finally {
    deps.uploads.underWay -= 1
  }
}

/** Null: there is more than allowed. The stream stays open, because the caller's connection still has to carry an answer. */
async function readForm(request: FastifyRequest, bytesMax: number): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return null
  const chunks: Buffer[] = []
  let bytes = 0
  const body = request.body as IncomingMessage
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
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
  const unsaid = (reason: string): Refusal => notPassed({ sender, path: call.path, log }, reason)
  let refused: { readonly value: string; readonly errcode: number } | undefined
  for (;;) {
    const token = await tokens.get(sender, refused?.value)
    if (token === undefined) {
      return unsaid(refused === undefined ? 'there is no token of this app' : refusedBy(refused))
    }
    const passed = await relay.pass({ ...call, token })
    if (passed.kind === 'broken') return unsaid(passed.detail)
    if (!isTokenRefusal(passed.errcode)) return passed.answer
    const again = refused === undefined
    refused = { value: token.value, errcode: passed.errcode }
    if (again) continue
    await tokens.report(sender, token.value)
    return unsaid(refusedBy(refused))
  }
}

interface NotPassed {
  readonly sender: Extract<Sender, { kind: 'sender' }>
  readonly path: string
  readonly log: EntranceDeps['log']
}

function notPassed({ sender, path, log }: NotPassed, reason: string): Refusal {
  log.warn({ event: 'entrance.not-passed-on', appid: sender.appid, path, reason })
  return { errcode: -1, detail: 'WeChat could not be asked, try again later' }
}

const refusedBy = ({ errcode }: { readonly errcode: number }): string => `WeChat refuses the token (${errcode})`
