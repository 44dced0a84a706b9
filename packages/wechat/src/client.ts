/**
 * WeChat over HTTP. A send has an outcome, whatever happens; nothing that the network or WeChat does is thrown, and no
 * outcome contains a URL, a header, a token or an error's message.
 */
import type { Outcome } from '@wechat-outbox/messages'
import { outcomeOf } from './answers.ts'
import { parseBaseUrl } from './base-url.ts'
import type { ProxySettings } from './dispatcher.ts'
import { createHttp, type HttpRequest } from './http.ts'
import { type PictureKind, pictureForm } from './picture.ts'
import { queryString } from './query.ts'
import { type TokenAnswer, tokenAnswerOf } from './token-answer.ts'
import { type Uploaded, uploadedOf } from './upload.ts'
import { baseUrlParts } from './url-parts.ts'

export interface WechatClientOptions {
  /** https, or http on a loopback address. A path is kept as a prefix. */
  readonly baseUrl: string
  /** Plain http to any address. */
  readonly allowHttp?: boolean
  /** Connections at most, and so calls under way at once; more calls wait for one. */
  readonly connections: number
  /** One whole call: waiting for a connection, connecting, writing and reading. */
  readonly timeoutMs: number
  /** Connecting alone, TLS included. Default: `timeoutMs`, 3 s at most. The pool keeps it to about half a second. */
  readonly connectTimeoutMs?: number
  /** Longer answers are not read to their end. Default 65,536. */
  readonly answerBytesMax?: number
  /** Forward proxies; none by default, whatever the environment says. */
  readonly proxy?: ProxySettings | undefined
}

/** What a token source gives: the name of the query parameter and its value. Without a name nothing is sent. */
export interface SendToken {
  readonly parameter: string
  readonly value: string
}

export interface SendCall {
  readonly token: SendToken
  /** WeChat's own fields and nothing else. */
  readonly body: Record<string, unknown>
  /** Aborted before the request is written, the outcome is `not-sent`; afterwards it is `unsure`. */
  readonly signal?: AbortSignal | undefined
  /** A shorter limit than the client's, so that a call does not outlive its lease. */
  readonly timeoutMs?: number | undefined
}

export interface UploadCall {
  readonly token: SendToken
  readonly bytes: Buffer
  readonly kind: PictureKind
  readonly signal?: AbortSignal | undefined
}

export interface TokenCall {
  /** `stable`: POST /cgi-bin/stable_token. `classic`: GET /cgi-bin/token, where every call ends the token before. */
  readonly kind: 'stable' | 'classic'
  readonly appid: string
  readonly secret: string
  /** `stable` only: ends the current token. WeChat allows 20 a day. */
  readonly forceRefresh?: boolean | undefined
}

export interface WechatClient {
  /** Sends one message. Rejects only for a body that cannot be written as JSON, which is a bug of the caller's. */
  send(call: SendCall): Promise<Outcome>
  /** Uploads an image, which WeChat keeps for three days. Never rejects. */
  upload(call: UploadCall): Promise<Uploaded>
  /** Asks WeChat for a token. Never rejects. */
  fetchToken(call: TokenCall): Promise<TokenAnswer>
  /** Calls under way have `graceMs` (default 0) to end. Later calls are `not-sent`. May be called more than once. */
  close(graceMs?: number): Promise<void>
}

const CONNECT_TIMEOUT_MS_DEFAULT = 3_000
const ANSWER_BYTES_MAX_DEFAULT = 65_536

/** Throws an Error for options that make no sense. */
export function createWechatClient(options: WechatClientOptions): WechatClient {
  const {
    baseUrl,
    allowHttp = false,
    connections,
    timeoutMs,
    proxy,
    answerBytesMax = ANSWER_BYTES_MAX_DEFAULT,
  } = options
  const { connectTimeoutMs = Math.min(timeoutMs, CONNECT_TIMEOUT_MS_DEFAULT) } = options
  for (const [name, value] of Object.entries({ connections, timeoutMs, connectTimeoutMs, answerBytesMax })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a whole number, 1 or more`)
  }
  const { origin, prefix } = parseBaseUrl(baseUrl, { allowHttp })
  const where = baseUrlParts(origin, prefix)
  const http = createHttp({ origin, connections, timeoutMs, connectTimeoutMs, answerBytesMax, proxy })
  return {
    async send({ token, body, signal, timeoutMs: callTimeoutMs }) {
      const path = `${prefix}/cgi-bin/message/custom/send${query(token)}`
      const request = { method: 'POST', path, body: JSON.stringify(body), signal, timeoutMs: callTimeoutMs } as const
      return outcomeOf(await http.exchange(request), [token.value, ...where], Date.now())
    },
    async upload({ token, bytes, kind, signal }) {
      const path = `${prefix}/cgi-bin/media/upload${query(token, { type: 'image' })}`
      const { contentType, body } = pictureForm(bytes, kind)
      const exchanged = await http.exchange({
        method: 'POST',
        path,
        body,
        headers: { 'content-type': contentType },
        signal,
      })
      return uploadedOf(exchanged, [token.value, ...where], Date.now())
    },
    async fetchToken(call) {
      return tokenAnswerOf(await http.exchange(tokenRequest(prefix, call)), {
        secrets: [call.secret, call.appid, ...where],
      })
    },
    close: (graceMs = 0) => http.close(graceMs),
  }
}

function query({ parameter, value }: SendToken, more: Readonly<Record<string, string>> = {}): string {
  const text = queryString({ ...(parameter === '' ? {} : { [parameter]: value }), ...more })
  return text === '' ? '' : `?${text}`
}

function tokenRequest(prefix: string, { kind, appid, secret, forceRefresh = false }: TokenCall): HttpRequest {
  const grant = { grant_type: 'client_credential', appid, secret }
  return kind === 'classic'
    ? { method: 'GET', path: `${prefix}/cgi-bin/token?${queryString(grant)}` }
    : {
        method: 'POST',
        path: `${prefix}/cgi-bin/stable_token`,
        body: JSON.stringify({ ...grant, force_refresh: forceRefresh }),
      }
}
