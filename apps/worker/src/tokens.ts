/**
 * The token of one app in one process. It is cached here and, unless its source is local, shared through Redis and fetched
 * by one process of many (`token-refresh.ts`). All of them hear of a new one when it is stored; one that has missed it finds
 * out when WeChat refuses the old one, and then takes what is there.
 */
import type { Outcome } from '@wechat-outbox/messages'
import type { TokenFailure } from '@wechat-outbox/outbox'
import { createTokenCache, type Token, type TokenCacheOptions, tokenOf } from './token-cache.ts'
import { lasts, type Refreshed } from './token-refresh.ts'

export type { Token }
/** `lasts`: somebody has to change a setting first. `retryInMs`: when the source is asked again. */
export type NoToken = Extract<Outcome, { kind: 'no-token' }>
export type TokenResult = { readonly kind: 'token'; readonly token: Token } | NoToken
export type Replacement =
  /** `fresh`: fetched after the refusal, so that another refusal is no longer the token's fault alone. */
  { readonly kind: 'token'; readonly token: Token; readonly fresh: boolean } | NoToken

export interface Tokens {
  /** Whether `current` gives a token without waiting for anything. */
  isReady(): boolean
  /** The token to send with. Waits for a fetch only if there is none that still serves. */
  current(): Promise<TokenResult>
  /** WeChat has refused `bad`: gets another, the one that is there if that is newer. */
  replace(bad: Token): Promise<Replacement>
  /** WeChat refuses each new token, `bad` the last: nobody fetches another for a minute. */
  condemn(bad: Token): Promise<void>
  /** Asks the source now, but not within 15 s of a failure, over all processes, nor while new tokens are known to be refused. */
  probe(): Promise<TokenResult>
  /** Hears of no more news. */
  close(): void
}

/** A little less than the app is held, so that the probe finds a token to try. */
export const CONDEMNED_MS = 55_000
export const CONDEMNED: TokenFailure = { errcode: 40001, detail: 'WeChat refuses every new token' }

export function createTokens(options: TokenCacheOptions): Tokens {
  const { store, log, appid } = options
  const cache = createTokenCache(options)
  return {
    isReady: () => cache.token() !== undefined,
    async current() {
      const token = cache.token()
      if (token !== undefined) return { kind: 'token', token }
      // Redis is asked each time: a failure that has ended without this process's having heard would hold the app again.
      return resultOf(await cache.obtain({ mode: 'need' }))
    },
    async replace(bad) {
      for (let fresh = false; ; fresh = true) {
        const token = cache.token()
        if (token !== undefined && token.value !== bad.value) return { kind: 'token', token, fresh }
        cache.drop(bad.value)
        const underWay = cache.underWay()
        // One that is under way for another reason may come back with the refused token.
        if (underWay !== undefined && underWay.wanted.bad !== bad.value) {
          await underWay.result
          continue
        }
        const refreshed = await cache.obtain({ mode: 'need', bad: bad.value })
        const result = resultOf(refreshed)
        return result.kind === 'token' ? { ...result, fresh: refreshed.kind === 'token' && refreshed.fetched } : result
      }
    },
    async condemn(bad) {
      const retryInMs = await store.condemn(bad.value, CONDEMNED, CONDEMNED_MS)
      if (retryInMs === 0) return
      log.warn({
        event: 'token.unavailable',
        appid,
        errcode: CONDEMNED.errcode,
        reason: CONDEMNED.detail,
        againInMs: retryInMs,
      })
      cache.drop(bad.value)
    },
    async probe() {
      for (;;) {
        const underWay = cache.underWay()
        if (underWay === undefined || underWay.wanted.mode === 'probe') break
        await underWay.result
      }
      return resultOf(await cache.obtain({ mode: 'probe' }))
    },
    close: () => cache.close(),
  }
}

export function noToken(failure: TokenFailure, retryInMs: number): NoToken {
  return { kind: 'no-token', ...failure, lasts: lasts(failure), retryInMs: Math.max(0, Math.ceil(retryInMs)) }
}

function resultOf(refreshed: Refreshed): TokenResult {
  if (refreshed.kind === 'failure') return noToken(refreshed.failure, refreshed.retryInMs)
  return { kind: 'token', token: tokenOf(refreshed.token) }
}
