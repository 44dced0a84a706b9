/**
 * What an exchange means for a message: an `Outcome`. The rule behind it: only a JSON object with a numeric `errcode` is
 * an answer of WeChat's. Whatever else arrives after the request was written says nothing about
 * what WeChat did with it.
 */
import { cleanErrmsg, type Outcome } from '@wechat-outbox/messages'
import type { Exchanged } from './call.ts'
import { errcodeOf, type JsonObject, parseObject } from './read.ts'
import { retryAfterMsOf } from './retry-after.ts'

/** `secrets` never stand in the outcome; `nowMs` is needed for a `Retry-After` that is a date. */
export function outcomeOf(exchanged: Exchanged, secrets: readonly string[], nowMs: number): Outcome {
  const { status } = exchanged
  // A proxy or load balancer refused the call. What the rest of such an answer holds, or whether it arrived, changes nothing.
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
  const rid = ridOf(answer, secrets)
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

/** WeChat's words without ours in them, cleaned here and not again by those who repeat them. Missing or no text: `''`. */
export function errmsgOf({ errmsg }: JsonObject, secrets: readonly string[]): string {
  return typeof errmsg === 'string' ? cleanErrmsg(errmsg, secrets) : ''
}

const RID = /\brid: ?([0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{1,16})\b/iu

/** WeChat's request id, which it puts into `errmsg`: its support asks for it. */
function ridOf({ errmsg }: JsonObject, secrets: readonly string[]): string | undefined {
  const rid = typeof errmsg === 'string' ? RID.exec(errmsg)?.[1] : undefined
  return rid === undefined || cleanErrmsg(rid, secrets) === rid ? rid : undefined
}
