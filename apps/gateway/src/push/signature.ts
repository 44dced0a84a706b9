/**
 * What shows that a push comes from WeChat: a signature of the token that WeChat's console and the gateway both know. In plain mode it
 * covers time and nonce, in secure mode the encrypted message, too. A push that was recorded is worth nothing some minutes later.
 *
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** WeChat repeats a push within seconds; the rest is for clocks that differ. */
const AGE_MS_MAX = 5 * 60_000
const NONCE_CHARS_MAX = 128

/** What the query of a push says. */
export interface PushQuery {
  readonly timestamp: string
  readonly nonce: string
  /** 40 hex digits, of time and nonce. */
  readonly signature: string | undefined
  /** The same, with the encrypted message. */
  readonly msgSignature: string | undefined
}

export type QueryFault = 'query' | 'age'

/** Looks at a query before anything is computed. A parameter that stands there twice is none. */
export function readPushQuery(query: Readonly<Record<string, unknown>>, now: number): PushQuery | QueryFault {
  const { timestamp, nonce, signature, msg_signature: msgSignature } = query
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) return 'query'
  if (typeof nonce !== 'string' || nonce === '' || nonce.length > NONCE_CHARS_MAX) return 'query'
  if (!isDigest(signature) || !isDigest(msgSignature)) return 'query'
  if (Math.abs(Number(timestamp) * 1000 - now) > AGE_MS_MAX) return 'age'
  return { timestamp, nonce, signature, msgSignature }
}

const isDigest = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && /^[0-9a-f]{40}$/i.test(value))

/** Whether `signature` is the one of these parts. Takes as long wherever the two differ. */
export function isSigned(signature: string | undefined, parts: readonly string[]): boolean {
  if (signature === undefined) return false
  const own = createHash('sha1').update(parts.toSorted().join('')).digest()
  return timingSafeEqual(own, Buffer.from(signature, 'hex'))
}
