/**
 * Typing and uploads go on to WeChat, with the token that the workers keep in Redis or fetch when they are asked to: the
 * gateway has no app's secret. A refused token is reported, and the call repeated once. Without a good token the answer is WeChat's own "busy", which clients repeat later; a 40001 would make them ask
 * for a new token of the gateway's, which would not help.
 */
import { type IncomingMessage } from 'node:http'
import { within } from '@wechat-outbox/outbox/engine'
import type { Relay, RelayedCall } from '@wechat-outbox/wechat'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Shares } from '../shares.ts'
import type { Answer, Refusal } from './answers.ts'
import { readJsonBody } from './body.ts'
import { type Sender, senderOf } from './credentials.ts'
import type { EntranceDeps } from './deps.ts'
import { tidyUploadForm } from './upload-form.ts'
import { withToken } from './wechat-token.ts'

const TOO_LARGE: Refusal = { errcode: 40_009, detail: 'the upload is too large', status: 413 }
const LATE: Refusal = { errcode: -1, detail: 'the upload did not arrive in time', status: 408 }

export interface PassOnDeps extends EntranceDeps {
  readonly relay: Relay
  readonly uploadBytesMax: number
  /** Whoever sends an upload slowly, or whose calls WeChat answers slowly, uses up places of its own key and app. */
  readonly places: { readonly typing: Shares; readonly uploads: Shares }
}

export async function passOnTyping(request: FastifyRequest, reply: FastifyReply, deps: PassOnDeps): Promise<Answer> {
  const sender = await senderOf(request, deps)
  if (sender.kind === 'refused') return sender.refusal
  const read = readJsonBody(request.body)
  if (read.kind === 'refused') return read.refusal
  const contentType = 'application/json; charset=utf-8'
  const call = { path: pathOf(request), contentType, body: JSON.stringify(read.body), signal: whenGone(reply) }
  return inPlace(deps.places.typing, { sender, path: call.path, log: deps.log }, () => pass(sender, call, deps))
}

type GrantedSender = Extract<Sender, { kind: 'sender' }>

/** Does it, if the sender's key and app have a place left for it. */
async function inPlace(places: Shares, call: NotPassed, run: () => Promise<Answer>): Promise<Answer> {
  const { appid, caller } = call.sender
  const leave = places.take(1, [`key ${caller.id}`, `app ${appid}`])
  if (leave === null)
    return notPassed(call, 'there are as many calls under way as its key, its app or the gateway may have')
  try {
    return await run()
  } finally {
    leave()
  }
}

/** A client that sends its picture more slowly than this is refused. */
const FORM_MS_MAX = 10_000

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
  return inPlace(deps.places.uploads, { sender, path, log: deps.log }, async () => {
    const form = await readForm(request, deps.uploadBytesMax)
    if (form === 'too-large') return TOO_LARGE
    if (form === 'late') {
      reply.header('connection', 'close')
      return LATE
    }
    const body = tidyUploadForm(form, contentType) ?? form
    const query = type === undefined ? {} : { type: String(type) }
    return pass(sender, { path, query, contentType, body, signal: whenGone(reply) }, deps)
  })
}

/** The stream stays open when there is too much or too little of it, because the caller's connection still has to carry an answer. */
async function readForm(request: FastifyRequest, bytesMax: number): Promise<Buffer | 'too-large' | 'late'> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return 'too-large'
  const body = request.body as IncomingMessage
  let chunks: Buffer[] = []
  let bytes = 0
  const read = new Promise<Buffer | 'too-large'>((resolve, reject) => {
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) chunks.push(chunk)
      else {
        chunks = []
        resolve('too-large')
      }
    })
    body.once('end', () => resolve(Buffer.concat(chunks)))
    body.once('error', reject)
  })
  const form = await within(read, FORM_MS_MAX, 'late' as const)
  // What still comes is read and thrown away.
  if (form === 'late') body.removeAllListeners('data').resume()
  return form
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
  sender: GrantedSender,
  call: Omit<RelayedCall, 'token'>,
  { relay, log, tokens }: PassOnDeps,
): Promise<Answer> {
  const unsaid = (reason: string): Refusal => notPassed({ sender, path: call.path, log }, reason)
  const passed = await withToken(
    { tokens, at: sender },
    (token) => relay.pass({ ...call, token }),
    (result) => (result.kind === 'broken' ? undefined : result.errcode),
  )
  switch (passed.kind) {
    case 'no-token':
      return unsaid(
        passed.errcode === undefined ? 'there is no token of this app' : `WeChat refuses the token (${passed.errcode})`,
      )
    case 'broken':
      return unsaid(passed.detail)
    default:
      return passed.answer
  }
}

interface NotPassed {
  readonly sender: GrantedSender
  readonly path: string
  readonly log: EntranceDeps['log']
}

function notPassed({ sender, path, log }: NotPassed, reason: string): Refusal {
  log.warn({ event: 'entrance.not-passed-on', appid: sender.appid, path, reason })
  return { errcode: -1, detail: 'WeChat could not be asked, try again later' }
}
