/**
 * The token of one app in one process. It is cached here and, unless its source is local, shared through Redis and fetched
 * by one process of many (`token-refresh.ts`). All of them are notified when a new one is stored; one that has missed it finds
 * out when WeChat refuses the old one, and then takes what is there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '@wechat-outbox/messages'
import type { TokenFailure } from '@wechat-outbox/outbox/engine'
import { createTokenCache, type Token, type TokenCache, type TokenCacheOptions, tokenOf } from './token-cache.ts'
import { doubt, isYoung, type RefusedCall, STRAYS_MAX, WORD_HOLDS_MS } from './token-doubt.ts'
import { lasts, type Refreshed } from './token-refresh.ts'

export type { Token }
/** `lasts`: somebody has to change a setting first. `retryInMs`: when the source is asked again. */
export type NoToken = Extract<Outcome, { kind: 'no-token' }>
/** There is one, and nobody uses it for so long, because WeChat has just refused it. */
export interface PausedToken {
  readonly kind: 'paused'
  readonly pauseMs: number
}
export type TokenResult = { readonly kind: 'token'; readonly token: Token } | NoToken
export type Replacement =
  /** `fresh`: fetched after the refusal, so that another refusal is no longer the token's fault alone. */
  { readonly kind: 'token'; readonly token: Token; readonly fresh: boolean } | NoToken

export interface Tokens {
  /** Whether `current` gives a token without waiting for anything. */
  isReady(): boolean
  /** The token to send with. Waits for a fetch only if there is none that still serves, and two seconds for a pause to end. */
  current(): Promise<TokenResult | PausedToken>
  /** WeChat has taken a call with it. */
  prove(token: Token): void
  /** WeChat has refused `bad`: gets another, the one that is there if that is newer, or the same where it deserves that. */
  replace(bad: Token, call: RefusedCall): Promise<Replacement>
  /** WeChat refuses each new token, `bad` the last: nobody fetches another for a minute. */
  condemn(bad: Token): Promise<void>
  /** Asks the source now, but not within 15 s of a failure, over all processes, nor while new tokens are known to be refused. */
  probe(): Promise<TokenResult>
  /** Ends the subscription to changes of the token. */
  close(): void
}

/** A little less than the app is held, so that the probe finds a token to try. */
export const CONDEMNED_MS = 55_000
export const CONDEMNED: TokenFailure = { errcode: 40001, detail: 'WeChat refuses every new token' }

/** How long a message waits here for a pause to end; then it gives its place to others. */
const PAUSE_WAIT_MS_MAX = 2000

export function createTokens(options: TokenCacheOptions): Tokens {
  const { store, log, appid } = options
  const cache = createTokenCache(options)
  const trust = createTrust(options, cache)
  return {
    isReady: () => cache.token() !== undefined && pauseMsOf(cache) <= 0,
    current: () => currentOf(cache),
    prove({ value }) {
      cache.prove(value, trust.accept(value))
    },
    async replace(bad, call) {
      for (let fresh = false; ; fresh = true) {
        const token = cache.token()
        if (token !== undefined && token.value !== bad.value) return { kind: 'token', token, fresh }
        if (token !== undefined && !fresh && (await trust.mayRepeat(bad, call)))
          return { kind: 'token', token, fresh: false }
        cache.drop(bad.value)
        const underWay = cache.underWay()
        // One that is under way for another reason may come back with the refused token.
        if (underWay !== undefined && underWay.wanted.bad !== bad.value) {
          await underWay.result
          continue
        }
        const badMsAgo = performance.now() - call.startedAt
        const wordHoldsMs = call.inARow < STRAYS_MAX ? WORD_HOLDS_MS : 0
        const refreshed = await cache.obtain({ mode: 'need', bad: bad.value, badMsAgo, wordHoldsMs })
        const result = resultOf(refreshed)
        if (result.kind !== 'token') return result
        const isOther = result.token.value !== bad.value
        return { ...result, fresh: isOther && refreshed.kind === 'token' && refreshed.fetched }
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

/** What this process knows of tokens that WeChat has taken, and so whether a refused one is to be used once more. */
function createTrust({ store, source }: TokenCacheOptions, cache: TokenCache) {
  let accepted: { readonly value: string; readonly at: number } | undefined

  /** A token that another process has sent with is not too young, whatever its age. */
  async function acceptedElsewhere({ value }: Token, ageMs: number): Promise<number | undefined> {
    if (!isYoung(ageMs)) return undefined
    const stored = await store.read()
    // One that is no longer the shared one is not used again, either.
    return stored?.value === value && !stored.accepted ? undefined : Number.NEGATIVE_INFINITY
  }

  return {
    /** WeChat has taken a call with it. Whether for the first time. */
    accept(value: string): boolean {
      const isFirst = accepted?.value !== value
      accepted = { value, at: performance.now() }
      return isFirst
    },
    async mayRepeat(bad: Token, call: RefusedCall): Promise<boolean> {
      const standing = cache.standing()
      if (standing === undefined) return false
      const acceptedAt = accepted?.value === bad.value ? accepted.at : await acceptedElsewhere(bad, standing.ageMs)
      const { canRepeat } = source
      const doubted = doubt({ call, acceptedAt, standing, canRepeat, now: performance.now() })
      if (doubted.action === 'ask') return false
      if (doubted.everybody) cache.pause(doubted.pauseMs)
      else if (doubted.pauseMs > 0) await sleep(doubted.pauseMs)
      return true
    },
  }
}

const pauseMsOf = (cache: TokenCache): number => cache.standing()?.pauseMs ?? 0

async function currentOf(cache: TokenCache): Promise<TokenResult | PausedToken> {
  for (const until = performance.now() + PAUSE_WAIT_MS_MAX; ; ) {
    if (cache.token() === undefined) {
      // Redis is asked each time: a failure that has ended without this process's knowledge would hold the app again.
      const result = resultOf(await cache.obtain({ mode: 'need' }))
      if (result.kind !== 'token' || pauseMsOf(cache) <= 0) return result
    }
    const token = cache.token()
    const pauseMs = pauseMsOf(cache)
    if (token !== undefined && pauseMs <= 0) return { kind: 'token', token }
    const leftMs = until - performance.now()
    if (leftMs <= 0) return { kind: 'paused', pauseMs: Math.ceil(Math.max(1, pauseMs)) }
    await Promise.race([sleep(Math.min(pauseMs, leftMs)), cache.news()])
  }
}

export function noToken(failure: TokenFailure, retryInMs: number): NoToken {
  return { kind: 'no-token', ...failure, lasts: lasts(failure), retryInMs: Math.max(0, Math.ceil(retryInMs)) }
}

function resultOf(refreshed: Refreshed): TokenResult {
  if (refreshed.kind === 'failure') return noToken(refreshed.failure, refreshed.retryInMs)
  return { kind: 'token', token: tokenOf(refreshed.token) }
}
