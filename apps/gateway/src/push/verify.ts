/**
 * From the bytes of a push to its fields, or to the reason for which it is refused. With a key only what is encrypted counts: the plain
 * fields of the compatible mode are signed by nothing.
 */
import type { PushConfig } from '@wechat-outbox/wechat'
import { decryptPush } from './decrypt.ts'
import { encryptedIn, type PushFields, readPushFields } from './read-push.ts'
import { isSigned, type PushQuery, readPushQuery } from './signature.ts'

/**
 * `query`: the parameters are not WeChat's. `age`: a clock is off, or the push is an old one. `mode`: it is plain and the app has a key, or
 * the other way round. `body`: neither JSON nor XML. `ciphertext`: another key. `appid`: another app's.
 */
export type RefusalReason = 'query' | 'age' | 'mode' | 'signature' | 'body' | 'too-large' | 'ciphertext' | 'appid'

export interface Refused {
  readonly kind: 'refused'
  readonly reason: RefusalReason
}

export interface Addressed {
  readonly kind: 'addressed'
  readonly appid: string
  readonly config: PushConfig
  readonly query: PushQuery
}

export interface PushHead {
  readonly appid: string
  readonly config: PushConfig
  readonly query: Readonly<Record<string, unknown>>
  /** Whether WeChat only asks if anybody is there; that is never encrypted. */
  readonly isCheck: boolean
  readonly now: number
}

const refused = (reason: RefusalReason): Refused => ({ kind: 'refused', reason })

/** What can be said before the body is read. */
export function verifyHead({ appid, config, query: given, isCheck, now }: PushHead): Addressed | Refused {
  const query = readPushQuery(given, now)
  if (typeof query === 'string') return refused(query)
  const { timestamp, nonce, signature, msgSignature } = query
  const isEncrypted = !isCheck && config.aesKey !== undefined
  if (!isCheck && isEncrypted !== (msgSignature !== undefined)) return refused('mode')
  if (!isEncrypted && !isSigned(signature, [config.token, timestamp, nonce])) return refused('signature')
  return { kind: 'addressed', appid, config, query }
}

export type VerifiedPush = { readonly kind: 'push'; readonly fields: PushFields } | Refused

export function verifyBody(body: Buffer, { appid, config, query }: Addressed): VerifiedPush {
  const { token, aesKey } = config
  if (aesKey === undefined) return fieldsOf(body)
  const candidates = encryptedIn(body)
  if (candidates.length === 0) return refused('body')
  const { timestamp, nonce, msgSignature } = query
  const encrypted = candidates.find((one) => isSigned(msgSignature, [token, timestamp, nonce, one]))
  if (encrypted === undefined) return refused('signature')
  const decrypted = decryptPush(encrypted, { aesKey, appid })
  return decrypted.kind === 'refused' ? decrypted : fieldsOf(decrypted.bytes)
}

function fieldsOf(bytes: Buffer): VerifiedPush {
  const fields = readPushFields(bytes)
  return fields === undefined ? refused('body') : { kind: 'push', fields }
}
