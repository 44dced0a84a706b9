/** What one process knows of an app's shared token: the copy it sends with, and the fetch under way. */
import type { StoredToken, TokenStore } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { SharedSource } from '@wechat-outbox/wechat'
import { RENEW_AHEAD_MS_MAX, type Refreshed, type RefreshOptions, refreshToken, type Wanted } from './token-refresh.ts'

export interface Token {
  readonly parameter: string
  readonly value: string
  readonly version: number
}

export interface TokenCacheOptions extends Omit<RefreshOptions, 'nextNews'> {
  readonly appid: string
  readonly source: SharedSource
  readonly store: TokenStore
  readonly log: Logger
}

export interface TokenCache {
  /** The token that serves, as far as is known here. One that is near its end is renewed meanwhile. */
  token(): Token | undefined
  /** What is known of that token, while it serves. */
  standing(): Standing | undefined
  /** Nobody here uses it for so long. */
  pause(ms: number): void
  /** WeChat has taken a call with it; `isFirst`: none of this process's before. */
  prove(value: string, isFirst: boolean): void
  /** Resolves when the token may have become another, or other processes know more of it. */
  news(): Promise<void>
  underWay(): { readonly wanted: Wanted; readonly result: Promise<Refreshed> } | undefined
  /** One claim at a time in this process, whatever made it necessary: who comes later shares its result. */
  obtain(wanted: Wanted): Promise<Refreshed>
  drop(value: string): void
  /** Ends the subscription to changes of the token. */
  close(): void
}

/** Ages are of this moment, in ms; see `StoredToken`. */
export type Standing = Pick<StoredToken, 'ageMs' | 'repeats' | 'pauseMs' | 'repeatedMsAgo'>

/** Times by `performance.now()`. */
interface Cached {
  readonly token: Token
  readonly endsAt: number
  readonly renewAt: number
  readonly madeAt: number
  readonly repeatedAt: number | undefined
  readonly repeats: number
  readonly pausedUntil: number
}

const RENEW_AHEAD_EVERY_MS = 10_000

export function createTokenCache(options: TokenCacheOptions): TokenCache {
  const { store, log, appid } = options
  let cached: Cached | undefined
  let underWay: ReturnType<TokenCache['underWay']>
  let renewNotBefore = 0
  let news = Promise.withResolvers<void>()

  function adopt(stored: StoredToken): void {
    cached = cachedOf(stored, performance.now())
  }
  function remember(refreshed: Refreshed): Refreshed {
    if (refreshed.kind === 'token') adopt(refreshed.token)
    return refreshed
  }
  function obtain(wanted: Wanted): Promise<Refreshed> {
    if (underWay !== undefined) return underWay.result
    const result = refreshToken({ ...options, nextNews: () => news.promise }, wanted)
      .then(remember)
      .finally(() => (underWay = undefined))
    underWay = { wanted, result }
    return result
  }
  function renewAhead(now: number): void {
    if (now < renewNotBefore) return
    renewNotBefore = now + RENEW_AHEAD_EVERY_MS
    obtain({ mode: 'ahead' }).catch((error: unknown) => log.warn({ event: 'token.renewal-failed', appid, err: error }))
  }
  /** Redis has the truth about the token that this process goes on with. */
  async function look(): Promise<void> {
    const stored = await store.read()
    if (stored !== null && !stored.refused && stored.leftMs > 0) adopt(stored)
    else if (stored?.value === cached?.token.value) cached = undefined
  }

  function hear(version?: number): void {
    news.resolve()
    news = Promise.withResolvers()
    if (cached === undefined || cached.token.version === version) return
    // Redis is away: the next use of the token asks it again.
    look().catch(() => undefined)
  }
  /** Whoever asks has found none in Redis. All processes are notified, and the claim lets one of them fetch. */
  const onWanted = (): unknown => obtain({ mode: 'need' }).catch(() => undefined)

  const close = store.listen(hear, onWanted)
  return {
    token() {
      const now = performance.now()
      if (cached === undefined || now >= cached.endsAt) return undefined
      if (now >= cached.renewAt) renewAhead(now)
      return cached.token
    },
    standing: () => cached && standingOf(cached, performance.now()),
    pause: (ms) =>
      (cached = cached && { ...cached, pausedUntil: Math.max(cached.pausedUntil, performance.now() + ms) }),
    prove(value, isFirst) {
      if (cached?.token.value !== value) return
      // Should Redis be away, others know a little less.
      if (isFirst || cached.repeats > 0) store.prove(value).catch(() => undefined)
      if (cached.repeats > 0 || cached.pausedUntil > 0) cached = { ...cached, repeats: 0, pausedUntil: 0 }
    },
    news: () => news.promise,
    underWay: () => underWay,
    obtain,
    drop(value) {
      if (cached?.token.value === value) cached = undefined
    },
    close,
  }
}

function cachedOf(stored: StoredToken, now: number): Cached {
  const endsAt = now + stored.leftMs
  const aheadMs = Math.min(RENEW_AHEAD_MS_MAX, stored.lifetimeMs / 4)
  const { repeats, repeatedMsAgo, pauseMs, ageMs } = stored
  return {
    token: tokenOf(stored),
    endsAt,
    renewAt: endsAt - aheadMs,
    madeAt: now - ageMs,
    repeatedAt: repeatedMsAgo === undefined ? undefined : now - repeatedMsAgo,
    repeats,
    pausedUntil: pauseMs > 0 ? now + pauseMs : 0,
  }
}

function standingOf({ madeAt, repeats, repeatedAt, pausedUntil }: Cached, now: number): Standing {
  const repeatedMsAgo = repeatedAt === undefined ? undefined : now - repeatedAt
  return { ageMs: now - madeAt, repeats, repeatedMsAgo, pauseMs: Math.max(0, pausedUntil - now) }
}

export function tokenOf({ parameter, value, version }: StoredToken): Token {
  return { parameter, value, version }
}
