/**
 * Who is asking? With `appid` and `secret`, where the secret is an API key of the gateway, one gets a token; with the token one
 * sends. A token is worth what its key is worth at the moment it is used: a key that was removed or replaced, or lost the app or
 * the right to send, takes its tokens with it.
 */
import { appidSchema, PLAIN_ERRORS } from '@wechat-outbox/messages'
import { createAccessTokens, readAccessToken, type Store } from '@wechat-outbox/outbox/engine'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../access.ts'
import { type Refusal, tooMany } from './answers.ts'
import type { EntranceDeps } from './deps.ts'

export type Sender =
  | { readonly kind: 'sender'; readonly appid: string; readonly caller: Caller; readonly store: Store }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** @throws OutboxError WXO_UNAVAILABLE, or whatever the client says, while Redis is away */
export async function senderOf(request: FastifyRequest, { link, access, knownApps }: EntranceDeps): Promise<Sender> {
  const token = first((request.query as Query)['access_token'])
  if (token === '') return { kind: 'refused', refusal: { errcode: 41_001 } }
  const store = await link.store()
  const found = await readAccessToken(store, token)
  const caller = found === null ? undefined : access.byHolder(found.holder)
  if (found === null || caller === undefined || !caller.may('send', found.appid)) {
    return { kind: 'refused', refusal: { errcode: 40_001, detail: 'ask the gateway for a token, not WeChat' } }
  }
  request.caller = caller
  if (caller.requests.spend(1) > 0) return { kind: 'refused', refusal: tooMany('requests') }
  if (!(await knownApps.find(found.appid))) return { kind: 'refused', refusal: UNKNOWN_APP }
  return { kind: 'sender', appid: found.appid, caller, store }
}

type Query = Readonly<Record<string, string | string[] | undefined>>

function first(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

/** What a token is asked for with: from a query or from a body, so nothing is certain about it. */
export interface Credentials {
  readonly grantType: unknown
  readonly appid: unknown
  readonly secret: unknown
  /** Of a stable token: ends the one that is there. Undefined asks for a token of its own. */
  readonly force: boolean | undefined
}

export type Grant = { readonly access_token: string; readonly expires_in: number }

/**
 * A wrong secret and one that is not for this app get the same answer: only who may use an app learns whether it is known.
 * @throws OutboxError WXO_UNAVAILABLE, or whatever the client says, while Redis is away
 */
export async function grantToken(
  request: FastifyRequest,
  credentials: Credentials,
  deps: EntranceDeps,
): Promise<Grant | Refusal> {
  const { grantType, appid, secret, force } = credentials
  if (grantType !== 'client_credential') return { errcode: 40_002 }
  if (appid === undefined || appid === '') return { errcode: 41_002 }
  if (secret === undefined || secret === '') return { errcode: 41_004 }
  const app = appidSchema.safeParse(appid, PLAIN_ERRORS)
  if (!app.success) return { errcode: 40_013, detail: `appid ${app.error.issues[0]?.message}` }
  // What is no text is no key either, and is looked at as one so that it costs a guess.
  const key = typeof secret === 'string' ? secret : JSON.stringify(secret)
  const caller = await deps.access.identify(key, request.ip)
  if (caller === 'slow-down') return { errcode: 45_011, detail: 'too many wrong secrets' }
  if (caller === 'unknown' || !caller.may('send', app.data)) {
    return { errcode: 40_125, detail: 'secret must be an API key of the gateway' }
  }
  request.caller = caller
  if (caller.requests.spend(1) > 0) return tooMany('requests')
  const store = await deps.link.store()
  if (!(await deps.knownApps.find(app.data))) return UNKNOWN_APP
  const tokens = createAccessTokens(store, app.data)
  const { token, leftMs } =
    force === undefined ? await tokens.issue(caller.holder) : await tokens.stable(caller.holder, { secret: key, force })
  return { access_token: token, expires_in: Math.floor(leftMs / 1000) }
}

const UNKNOWN_APP: Refusal = { errcode: 40_013, detail: 'no worker has ever served this app' }
