/**
 * Calls that are handed on to WeChat as they came, with the app's real token in place of the caller's: typing, uploads. They
 * are worth something at once or not at all, so nothing is stored and nothing repeated. What comes back is WeChat's answer
 * or nothing: a token of WeChat's never leaves here.
 */
import { errmsgOf } from './answers.ts'
import { parseBaseUrl } from './base-url.ts'
import type { SendToken } from './client.ts'
import { createDispatcher, type ProxySettings } from './dispatcher.ts'
import { requestFault } from './faults.ts'
import { queryString } from './query.ts'
import { errcodeOf, type JsonObject, parseObject, textOf } from './read.ts'
import { readBytes } from './read-bytes.ts'
import { baseUrlParts } from './url-parts.ts'

export interface RelayOptions {
  /** https, or http on a loopback address. A path is kept as a prefix. */
  readonly baseUrl: string
  readonly allowHttp?: boolean
  /** Calls under way at once; more are refused, because whoever waits for them has no patience either. */
  readonly callsMax: number
  /** One whole call. */
  readonly timeoutMs: number
  readonly proxy?: ProxySettings | undefined
}

export interface RelayedCall {
  /** WeChat's own path: `/cgi-bin/media/upload`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly token: SendToken
  readonly contentType: string
  /** A whole one: WeChat has answered 412 to bodies whose length it was not told. */
  readonly body: string | Buffer
  readonly signal?: AbortSignal | undefined
}

export type Relayed =
  | { readonly kind: 'answered'; readonly errcode: number; readonly answer: JsonObject }
  /** Nothing usable came back. */
  | { readonly kind: 'broken'; readonly detail: string }

export interface Relay {
  /** Never rejects. */
  pass(call: RelayedCall): Promise<Relayed>
  /** Ends what is under way. */
  close(): Promise<void>
}

const ANSWER_BYTES_MAX = 65_536
const CONNECT_TIMEOUT_MS = 3000

/** Throws an Error for a base URL that is none. */
export function createRelay({ baseUrl, allowHttp = false, callsMax, timeoutMs, proxy }: RelayOptions): Relay {
  const { origin, prefix } = parseBaseUrl(baseUrl, { allowHttp })
  const connectTimeoutMs = Math.min(timeoutMs, CONNECT_TIMEOUT_MS)
  const pool = createDispatcher({ origin, connections: callsMax, timeoutMs, connectTimeoutMs, proxy })
  const where = baseUrlParts(origin, prefix)
  let open = 0

  async function exchange(call: RelayedCall, signal: AbortSignal): Promise<Relayed> {
    const { token, query = {}, body, contentType } = call
    const answer = await pool.request({
      origin,
      method: 'POST',
      path: `${prefix}${call.path}?${queryString({ [token.parameter]: token.value, ...query })}`,
      headers: { 'content-type': contentType },
      body,
      signal,
    })
    const bytes = await readBytes(answer.body, ANSWER_BYTES_MAX)
    const encoding = answer.headers['content-encoding']
    const text = bytes && textOf(bytes, Array.isArray(encoding) ? encoding[0] : encoding, ANSWER_BYTES_MAX)
    // With any other status the body is none of WeChat's, however long it is.
    if (text === null && answer.statusCode === 200)
      return { kind: 'broken', detail: `answer larger than ${ANSWER_BYTES_MAX} bytes` }
    return relayedOf(answer.statusCode, text ?? '', { secret: token.value, where })
  }

  return {
    async pass(call) {
      if (open >= callsMax) return { kind: 'broken', detail: `${callsMax} calls are under way already` }
      open += 1
      const late = AbortSignal.timeout(timeoutMs)
      try {
        return await exchange(call, call.signal === undefined ? late : AbortSignal.any([late, call.signal]))
      } catch (error) {
        if (late.aborted) return { kind: 'broken', detail: 'timeout' }
        return { kind: 'broken', detail: call.signal?.aborted ? 'aborted' : requestFault(error) }
      } finally {
        open -= 1
      }
    },
    close: () => pool.destroy(),
  }
}

interface Hidden {
  readonly secret: string
  readonly where: readonly string[]
}

/** Only a JSON object that came with 200 is WeChat's word; success may be without an errcode. */
function relayedOf(status: number, text: string, { secret, where }: Hidden): Relayed {
  const said = status === 200 ? parseObject(text) : undefined
  if (said === undefined) return { kind: 'broken', detail: `HTTP ${status} without a JSON object` }
  const { errcode: given, ...rest } = said
  const errcode = errcodeOf(said)
  // Something that is no code says neither yes nor no.
  if (errcode === undefined && given !== undefined && given !== null) {
    return { kind: 'broken', detail: `HTTP ${status} with an errcode that is no number` }
  }
  const answer = {
    ...(errcode === undefined ? {} : { errcode }),
    ...rest,
    ...('errmsg' in rest ? { errmsg: errmsgOf(rest, [secret, ...where]) } : {}),
  }
  // It has no reason to stand anywhere else. Should it, nothing of the answer goes further.
  if (secret !== '' && JSON.stringify(answer).includes(secret))
    return { kind: 'broken', detail: 'the answer repeats the token' }
  return { kind: 'answered', errcode: errcode ?? 0, answer }
}
