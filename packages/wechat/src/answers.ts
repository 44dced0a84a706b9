/**
 * What an exchange means: an `Outcome` for a send, a `TokenAnswer` for a token. The rule behind both: only a JSON object
 * with a numeric `errcode` is WeChat's own word. Whatever else arrives after the request was written says nothing about
 * what WeChat did with it.
 */
import { cleanErrmsg, type Outcome } from '@wechat-outbox/messages'
import type { Exchanged } from './call.ts'
import { errcodeOf, type JsonObject, parseObject } from './read.ts'
import { retryAfterMsOf } from './retry-after.ts'

export type TokenAnswer =
  | { readonly kind: 'token'; readonly value: string; readonly expiresInS: number }
  /** WeChat said no, and why. `errmsg` holds neither appid nor secret. */
  | { readonly kind: 'refused'; readonly errcode: number; readonly errmsg: string }
  /** Nothing usable came back: the road, or an answer that is not WeChat's. */
  | { readonly kind: 'unreachable'; readonly detail: string }

/** `secrets` never stand in the outcome; `nowMs` is needed for a `Retry-After` that is a date. */
export function outcomeOf(exchanged: Exchanged, secrets: readonly string[], nowMs: number): Outcome {
  const { status } = exchanged
  // Somebody on the road said no. What the rest of such an answer holds, or whether it arrived, changes nothing.
  if (status === 429 || status === 503) return refused(status, exchanged, nowMs)
  if (exchanged.kind === 'broken') return { kind: exchanged.written ? 'unsure' : 'not-sent', detail: exchanged.detail }
  const answer = parseObject(exchanged.body)
  const errcode = answer === undefined ? undefined : errcodeOf(answer)
  // An intermediary that answers 5xx in JSON with a code of its own is not to be believed either.
  if (exchanged.status >= 500) return notWechats(exchanged.status, '')
  if (answer === undefined) {
    return TURNED_AWAY.has(exchanged.status)
      ? refused(exchanged.status, exchanged, nowMs)
      : notWechats(exchanged.status, ' without a JSON object')
  }
  if (errcode === undefined) return notWechats(exchanged.status, ' without a numeric errcode')
  const errmsg = errmsgOf(answer, secrets)
  const rid = ridOf(answer)
  return rid === undefined ? { kind: 'answered', errcode, errmsg } : { kind: 'answered', errcode, errmsg, rid }
}

/** A gateway or a proxy says with these, on a page of its own, that it lets the call go no further. */
const TURNED_AWAY: ReadonlySet<number> = new Set([403, 407, 411, 412])

function refused(status: number, { retryAfter }: Exchanged, nowMs: number): Outcome {
  const retryAfterMs = retryAfterMsOf(retryAfter, nowMs)
  return retryAfterMs === undefined ? { kind: 'refused', status } : { kind: 'refused', status, retryAfterMs }
}

function notWechats(status: number, without: string): Outcome {
  return { kind: 'unsure', detail: `HTTP ${status}${without}`, status }
}

/** Official tokens live 7200 s at most; other sources may be more generous, but not without a limit. */
const EXPIRES_IN_S_MAX = 86_400

/** WeChat asks for room for 512 characters. A token is put into a URL, so it is visible ASCII. */
const TOKEN = /^[!-~]{1,2048}$/u

/** A plain text that is a token by itself, as a file or a company's token server may give it; else undefined. */
export function tokenOfText(text: string): string | undefined {
  const value = text.trim()
  // HTML and JSON are visible ASCII as well, and no token holds their brackets.
  return TOKEN.test(value) && !/[<>{}[\]"]/u.test(value) ? value : undefined
}

export interface TokenReading {
  /** Never stand in the answer. */
  readonly secrets: readonly string[]
  /** For answers that name no lifetime, a plain text among them. WeChat's own always do: without this they are refused. */
  readonly lifetimeS?: number
}

export function tokenAnswerOf(exchanged: Exchanged, { secrets, lifetimeS }: TokenReading): TokenAnswer {
  if (exchanged.kind === 'broken') return { kind: 'unreachable', detail: exchanged.detail }
  const { status } = exchanged
  const answer = parseObject(exchanged.body)
  if (answer === undefined) {
    const value = lifetimeS === undefined || status !== 200 ? undefined : tokenOfText(exchanged.body)
    return value === undefined || lifetimeS === undefined
      ? { kind: 'unreachable', detail: `HTTP ${status} without a JSON object` }
      : { kind: 'token', value, expiresInS: lifetimeS }
  }
  const errcode = errcodeOf(answer)
  if (errcode !== undefined && errcode !== 0) {
    return { kind: 'refused', errcode, errmsg: errmsgOf(answer, secrets) }
  }
  const { access_token: value, expires_in: expiresInS = lifetimeS } = answer
  if (status !== 200 || typeof value !== 'string' || !TOKEN.test(value)) {
    return { kind: 'unreachable', detail: `HTTP ${status} without a valid token` }
  }
  if (typeof expiresInS !== 'number' || !(expiresInS > 0 && expiresInS <= EXPIRES_IN_S_MAX)) {
    return { kind: 'unreachable', detail: `HTTP ${status} without a valid lifetime of the token` }
  }
  return { kind: 'token', value, expiresInS }
}

/** WeChat's words without ours in them, cleaned here and not again by those who repeat them. Missing or no text: `''`. */
export function errmsgOf({ errmsg }: JsonObject, secrets: readonly string[]): string {
  return typeof errmsg === 'string' ? cleanErrmsg(errmsg, secrets) : ''
}

const RID = /\brid: ?([0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{1,16})\b/iu

/** WeChat's request id, which it puts into `errmsg`: its support asks for it. */
function ridOf({ errmsg }: JsonObject): string | undefined {
  return typeof errmsg === 'string' ? RID.exec(errmsg)?.[1] : undefined
}
