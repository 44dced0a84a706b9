/**
 * An app that sends without a token: in WeChat's cloud hosting, or behind a reverse proxy that adds it, there is none to get. Should
 * WeChat ask for one all the same, the app is held until the way to WeChat is put right, and tried once a minute.
 */
import type { TokenFailure } from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import { CONDEMNED_MS, noToken, type Token, type TokenResult, type Tokens } from './tokens.ts'

const NONE: Token = { parameter: '', value: '', version: 1 }
const WANTED: TokenFailure = { errcode: 40001, detail: 'WeChat wants a token, and the source of this app is none' }
/** A stray refusal costs no hold. */
const REFUSALS_MAX = 3

export function createNoTokens({ appid, log }: { readonly appid: string; readonly log: Logger }): Tokens {
  let refusedUntil = 0
  function result(): TokenResult {
    const leftMs = refusedUntil - performance.now()
    return leftMs > 0 ? noToken(WANTED, leftMs) : { kind: 'token', token: NONE }
  }
  function refuse(): void {
    refusedUntil = performance.now() + CONDEMNED_MS
    log.warn({ event: 'token.unavailable', appid, errcode: WANTED.errcode, reason: WANTED.detail })
  }
  return {
    isReady: () => result().kind === 'token',
    current: () => Promise.resolve(result()),
    prove: () => (refusedUntil = 0),
    replace(_bad, { inARow }) {
      if (inARow >= REFUSALS_MAX) refuse()
      const found = result()
      return Promise.resolve(found.kind === 'token' ? { ...found, fresh: false } : found)
    },
    condemn: () => Promise.resolve(refuse()),
    probe: () => Promise.resolve(result()),
    close: () => undefined,
  }
}
