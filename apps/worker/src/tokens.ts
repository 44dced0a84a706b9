/**
 * The token of one app in one process: cached here, shared through Redis, fetched by one process of many.
 *
 * After a refusal (40001): read the shared token again → another process has replaced it: use theirs → else take the lock
 * and fetch without force → the same token comes back: force, within WeChat's budget. A fetch that fails is not repeated
 * for a while, whoever asks: an endpoint that says no is never asked in a loop.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '@wechat-outbox/messages'
import type { StoredToken, TokenLock, TokenStore } from '@wechat-outbox/outbox'
import type { Logger } from '@wechat-outbox/runtime'
import type { TokenAnswer, WechatClient } from '@wechat-outbox/wechat'

export interface Token {
  readonly parameter: string
  readonly value: string
  readonly version: number
}

type NoToken = Extract<Outcome, { kind: 'no-token' }>
export type TokenResult = { readonly kind: 'token'; readonly token: Token } | NoToken

export interface Tokens {
  /** The token to send with. Waits for a fetch only if there is none that still serves. */
  current(): Promise<TokenResult>
  /** WeChat has refused `bad`: gets another. */
  replace(bad: Token): Promise<TokenResult>
  /** Asks the endpoint now, whatever was said before, unless a token that serves is there already. */
  probe(): Promise<TokenResult>
}

export interface TokensOptions {
  readonly appid: string
  readonly secret: string
  readonly kind: 'stable' | 'classic'
  readonly store: TokenStore
  readonly client: WechatClient
  readonly log: Logger
  /** One call to the token endpoint, at most. */
  readonly fetchTimeoutMs: number
}

/** WeChat renews a stable token in its last five minutes, while the old one still serves. */
const RENEW_AHEAD_MS_MAX = 300_000
const RENEW_AHEAD_EVERY_MS = 10_000
const POLL_MS = 100
const AFTER_REFUSAL_MS = 60_000
const AFTER_SILENCE_MS = 15_000

interface Cached {
  readonly token: Token
  readonly endsAt: number
  readonly renewAt: number
}

export function createTokens(options: TokensOptions): Tokens {
  const { store, log, appid } = options
  let cached: Cached | undefined
  let failure: { readonly answer: NoToken; readonly until: number } | undefined
  let underWay: Promise<TokenResult> | undefined
  let renewNotBefore = 0
  /** The version of the newest token that was ever used here. */
  let seen = 0

  function adopt(stored: StoredToken): TokenResult {
    const now = performance.now()
    const aheadMs = Math.min(RENEW_AHEAD_MS_MAX, stored.lifetimeMs / 4)
    const token = { parameter: stored.parameter, value: stored.value, version: stored.version }
    cached = { token, endsAt: now + stored.leftMs, renewAt: now + stored.leftMs - aheadMs }
    failure = undefined
    seen = token.version
    return { kind: 'token', token }
  }

  function fail(answer: NoToken): NoToken {
    const lasts = answer.errcode === undefined ? AFTER_SILENCE_MS : AFTER_REFUSAL_MS
    failure = { answer, until: performance.now() + lasts }
    log.warn({ event: 'token.unavailable', appid, errcode: answer.errcode, reason: answer.detail, againInMs: lasts })
    return answer
  }

  /** One fetch at a time in this process, whatever made it necessary. */
  function obtain(bad: Token | undefined, ahead = false): Promise<TokenResult> {
    underWay ??= obtainShared(options, { bad, ahead })
      .then((result) => ('stored' in result ? adopt(result.stored) : fail(result)))
      .finally(() => (underWay = undefined))
    return underWay
  }

  function renewAhead(now: number): void {
    if (now < renewNotBefore) return
    renewNotBefore = now + RENEW_AHEAD_EVERY_MS
    obtain(undefined, true).catch((error: unknown) => log.warn({ event: 'token.renewal-failed', appid, err: error }))
  }

  return {
    async probe() {
      failure = undefined
      return obtain(undefined)
    },
    async current() {
      const now = performance.now()
      if (cached !== undefined && now < cached.endsAt) {
        if (now >= cached.renewAt) renewAhead(now)
        return { kind: 'token', token: cached.token }
      }
      const failed = failure !== undefined && now < failure.until ? failure.answer : undefined
      // Redis first: another process may have a newer token by now, and an old failure would hold the app again.
      const stored = await store.read()
      if (stored !== null && stored.leftMs > 0 && (failed === undefined || stored.version > seen)) return adopt(stored)
      return failed ?? obtain(undefined)
    },
    async replace(bad) {
      if (cached !== undefined && cached.token.version > bad.version) return { kind: 'token', token: cached.token }
      cached = undefined
      if (failure !== undefined && performance.now() < failure.until) return failure.answer
      const result = await obtain(bad)
      // It may have joined a fetch that was under way for another reason and came back with the refused one.
      return result.kind === 'token' && result.token.version <= bad.version ? obtain(bad) : result
    },
  }
}

type Obtained = { readonly stored: StoredToken } | NoToken
interface Wanted {
  /** Refused by WeChat: whatever is newer will do. */
  readonly bad: Token | undefined
  /** The shared one still serves; a longer one is wanted. */
  readonly ahead: boolean
}

async function obtainShared(options: TokensOptions, wanted: Wanted): Promise<Obtained> {
  const { store, fetchTimeoutMs } = options
  // Longer than two calls (the second one forced), and short enough that a holder's death costs seconds.
  const lockMs = 2 * fetchTimeoutMs + 1000
  const until = performance.now() + lockMs + 2 * POLL_MS
  for (;;) {
    const shared = await store.read()
    if (shared !== null && serves(shared, wanted)) return { stored: shared }
    const lock = await store.lock(lockMs)
    if (lock !== null) return fetchUnderLock(options, wanted, lock)
    if (performance.now() >= until) {
      return { kind: 'no-token', detail: 'other processes were fetching a token and did not come back with one' }
    }
    await sleep(POLL_MS)
  }
}

async function fetchUnderLock(options: TokensOptions, wanted: Wanted, lock: TokenLock): Promise<Obtained> {
  const { store } = options
  try {
    const shared = await store.read()
    if (shared !== null && serves(shared, wanted)) return { stored: shared }
    const answer = await fetchToken(options, wanted)
    if (answer.kind !== 'token') return noToken(answer)
    const fetched = { value: answer.value, parameter: 'access_token', lifetimeMs: answer.expiresInS * 1000 }
    const stored = await lock.store(fetched, shared?.version ?? 0)
    options.log.info({ event: 'token.refreshed', appid: options.appid, stored, expiresInS: answer.expiresInS })
    const now = await store.read()
    return now === null
      ? { kind: 'no-token', detail: 'the token was removed while it was being stored' }
      : { stored: now }
  } finally {
    await lock.release()
  }
}

function serves(stored: StoredToken, { bad, ahead }: Wanted): boolean {
  if (stored.leftMs <= 0 || stored.version === bad?.version) return false
  return !ahead || stored.leftMs > Math.min(RENEW_AHEAD_MS_MAX, stored.lifetimeMs / 4)
}

async function fetchToken(options: TokensOptions, { bad }: Wanted): Promise<TokenAnswer> {
  const { appid, secret, kind, client, store } = options
  const answer = await client.fetchToken({ kind, appid, secret })
  if (answer.kind !== 'token' || kind === 'classic' || answer.value !== bad?.value) return answer
  if (await store.mayForce()) return client.fetchToken({ kind, appid, secret, forceRefresh: true })
  return { kind: 'refused', errcode: 40001, errmsg: 'the token is refused, and no forced refresh is allowed now' }
}

function noToken(answer: Exclude<TokenAnswer, { kind: 'token' }>): NoToken {
  return answer.kind === 'refused'
    ? { kind: 'no-token', errcode: answer.errcode, detail: answer.errmsg }
    : { kind: 'no-token', detail: answer.detail }
}
