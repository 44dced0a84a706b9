/**
 * Tokens that each process finds on its own machine: in a file that WeChat's cloud rewrites every ten minutes, or in the
 * configuration. Nothing is fetched, shared or forced. A refused token is used again a few times within two seconds, because
 * WeChat refuses new tokens and at times good ones. Then the app waits for another value – or until a minute has passed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TokenFailure } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { LocalSource } from '@wechat-outbox/wechat'
import type { RefreshResult } from './token-refresh.ts'
import { CONDEMNED, CONDEMNED_MS, noToken, type Token, type TokenResult, type Tokens } from './tokens.ts'

export interface LocalTokensOptions {
  readonly appid: string
  readonly source: LocalSource
  readonly log: Logger
  /** Called when another token was found. */
  readonly onRefresh?: ((result: RefreshResult) => void) | undefined
}

/** How soon messages look again for a token that is not there. */
const LOOK_AGAIN_MS_MAX = 5000
const MISSING: TokenFailure = { detail: 'there is no token where the app’s source has it' }
const AGAIN_AFTER_MS = [200, 600, 1200]
const refusedOf = (type: LocalSource['type']): TokenFailure => ({
  errcode: 40001,
  detail: `WeChat refuses the token of the ${type} source: the app waits for another value there`,
})

export function createLocalTokens(options: LocalTokensOptions): Tokens {
  const { appid, source, log, onRefresh } = options
  const place = watchPlace(options)
  const REFUSED = refusedOf(source.type)
  let acceptedAt = Number.NEGATIVE_INFINITY
  let refused: { readonly value: string; readonly until: number } | undefined

  function result(): TokenResult {
    const token = place.token()
    const lookAgainMs = Math.min(source.everyMs, LOOK_AGAIN_MS_MAX)
    if (token === undefined) return noToken(MISSING, lookAgainMs)
    const leftMs = token.value === refused?.value ? refused.until - performance.now() : 0
    return leftMs > 0 ? noToken(REFUSED, Math.min(leftMs, lookAgainMs)) : { kind: 'token', token }
  }
  function refuse({ value }: Token, { errcode, detail: reason }: TokenFailure): void {
    refused = { value, until: performance.now() + CONDEMNED_MS }
    log.warn({ event: 'token.unavailable', appid, errcode, reason })
    onRefresh?.('failed')
  }
  return {
    isReady: () => !place.isDue() && result().kind === 'token',
    async current() {
      if (place.isDue()) await place.look()
      return result()
    },
    prove({ value }) {
      if (value === place.token()?.value) acceptedAt = performance.now()
    },
    async replace(bad, { startedAt, inARow }) {
      const fresh = place.token()?.value === bad.value
      if (fresh) {
        // A look that is under way may have begun before the refusal.
        if (place.isLooking()) await place.look()
        await place.look()
        if (place.token()?.value === bad.value) {
          const pauseMs = acceptedAt > startedAt && inARow === 1 ? 0 : AGAIN_AFTER_MS[inARow - 1]
          if (pauseMs === undefined) refuse(bad, REFUSED)
          else {
            await sleep(pauseMs)
            return { kind: 'token', token: place.token() ?? bad, fresh: false }
          }
        }
      }
      const found = result()
      return found.kind === 'token' ? { ...found, fresh } : found
    },
    async condemn(bad) {
      if (place.token()?.value === bad.value) refuse(bad, CONDEMNED)
    },
    async probe() {
      await place.look()
      return result()
    },
    close: () => undefined,
  }
}

/** The place where the token is, and what was last found there. */
function watchPlace({ appid, source, log, onRefresh }: LocalTokensOptions) {
  let token: Token | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  let missing = false

  async function read(): Promise<void> {
    const value = await source.read()
    readAt = performance.now()
    // A file that is just being rewritten is empty for a moment: the token from before serves on.
    if (value === undefined) return complain()
    missing = false
    if (value === token?.value) return
    token = { parameter: source.parameter, value, version: (token?.version ?? 0) + 1 }
    log.info({ event: 'token.refreshed', appid, result: 'stored' })
    onRefresh?.('stored')
  }
  function complain(): void {
    if (missing) return
    missing = true
    log.warn({ event: 'token.unavailable', appid, reason: MISSING.detail })
    onRefresh?.('failed')
  }
  return {
    token: () => token,
    isDue: () => token === undefined || performance.now() >= readAt + source.everyMs,
    isLooking: () => looking !== undefined,
    look(): Promise<void> {
      looking ??= read().finally(() => (looking = undefined))
      return looking
    },
  }
}
