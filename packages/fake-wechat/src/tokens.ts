// WeChat's access tokens live in two separate worlds: the classic endpoint makes a new token at every call and
// kills the one before, the stable endpoint repeats its token until it is nearly over or a refresh is forced.
// Tokens of both worlds are good for sending. Clients that mix the worlds up, or refresh from several
// processes, make each other's tokens invalid: this file makes that happen as it does at WeChat.
import { randomBytes, randomInt } from 'node:crypto'

export type TokenSettings = {
  /** Lifetime of a new token. Default 7200. */
  expiresInS: number
  /** Forced refreshes closer together than this change nothing. Default 30. */
  forceMinIntervalS: number
  /** Forced refreshes per app and day in China; further ones change nothing. Default 20. */
  forcePerDay: number
  /** How long a replaced classic token still works. Officially 300, "at once" by report: default 0. */
  classicGraceS: number
}

const DEFAULT_TOKEN_SETTINGS: TokenSettings = {
  expiresInS: 7200,
  forceMinIntervalS: 30,
  forcePerDay: 20,
  classicGraceS: 0,
}

type Token = {
  value: string
  appid: string
  madeAtMs: number
  expiresAtMs: number
  diesAtMs: number
  forgotten: boolean
}
type AppTokens = { classic?: Token; stable?: Token; forcedAtMs: number; forceDay: number; forcedToday: number }

export type IssuedToken = { access_token: string; expires_in: number }
export type TokenVerdict =
  | { appid: string; errcode: 0 | 40001 | 42001; ageMs: number }
  | { appid: null; errcode: 40001 }

export type TokenWorlds = {
  classic: (appid: string) => IssuedToken
  stable: (appid: string, force: boolean) => IssuedToken
  /** Whose token this is, and whether it can be used now. */
  check: (value: string) => TokenVerdict
  /** Kills the tokens of one app, or of all. With `repeatDead` the stable endpoint repeats a dead one until forced. */
  invalidate: (appid?: string, repeatDead?: boolean) => void
  configure: (settings: Partial<TokenSettings>) => void
  settings: () => TokenSettings
  reset: (keepTokens: boolean) => void
}

const TOKENS_MAX = 100_000
const DAY_MS = 86_400_000
const CHINA_OFFSET_MS = 8 * 3_600_000

const chinaDay = (nowMs: number): number => Math.floor((nowMs + CHINA_OFFSET_MS) / DAY_MS)

const newTokenValue = (): string => {
  const length = randomInt(136, 513)
  return `${randomInt(10, 100)}_${randomBytes(length).toString('base64url')}`.slice(0, length)
}

/** Whether a forced refresh is within the budget; counts it if so. */
const spendForce = (tokens: AppTokens, settings: TokenSettings, nowMs: number): boolean => {
  const today = chinaDay(nowMs)
  if (tokens.forceDay !== today) Object.assign(tokens, { forceDay: today, forcedToday: 0 })
  if (tokens.forcedToday >= settings.forcePerDay) return false
  if (nowMs - tokens.forcedAtMs < settings.forceMinIntervalS * 1000) return false
  tokens.forcedToday += 1
  tokens.forcedAtMs = nowMs
  return true
}

const answerFor = (token: Token, nowMs: number): IssuedToken => ({
  access_token: token.value,
  expires_in: Math.max(0, Math.ceil((token.expiresAtMs - nowMs) / 1000)),
})

/** Opens both token worlds; `onIssue` is called with the value of every new token. */
export const openTokenWorlds = (now: () => number, onIssue: (value: string) => void): TokenWorlds => {
  const byValue = new Map<string, Token>()
  const byApp = new Map<string, AppTokens>()
  let settings = { ...DEFAULT_TOKEN_SETTINGS }

  const tokensOf = (appid: string): AppTokens => {
    const known = byApp.get(appid)
    if (known !== undefined) return known
    const fresh: AppTokens = { forcedAtMs: Number.NEGATIVE_INFINITY, forceDay: 0, forcedToday: 0 }
    byApp.set(appid, fresh)
    return fresh
  }
  const issue = (appid: string): Token => {
    const madeAtMs = now()
    const expiresAtMs = madeAtMs + settings.expiresInS * 1000
    const diesAtMs = Number.POSITIVE_INFINITY
    const token = { value: newTokenValue(), appid, madeAtMs, expiresAtMs, diesAtMs, forgotten: false }
    byValue.set(token.value, token)
    if (byValue.size > TOKENS_MAX) byValue.delete(byValue.keys().next().value ?? '')
    onIssue(token.value)
    return token
  }
  return {
    classic: (appid) => {
      const tokens = tokensOf(appid)
      if (tokens.classic)
        tokens.classic.diesAtMs = Math.min(tokens.classic.diesAtMs, now() + settings.classicGraceS * 1000)
      tokens.classic = issue(appid)
      return answerFor(tokens.classic, now())
    },
    stable: (appid, force) => {
      const tokens = tokensOf(appid)
      const current = tokens.stable
      if (current === undefined) tokens.stable = issue(appid)
      else if (force && spendForce(tokens, settings, now())) {
        current.diesAtMs = now()
        tokens.stable = issue(appid)
      } else if (current.forgotten || isNearlyOver(current, now(), settings.expiresInS)) tokens.stable = issue(appid)
      return answerFor(tokens.stable ?? issue(appid), now())
    },
    check: (value) => {
      const token = byValue.get(value)
      if (token === undefined) return { appid: null, errcode: 40001 }
      const { appid } = token
      const ageMs = now() - token.madeAtMs
      if (token.diesAtMs <= now()) return { appid, errcode: 40001, ageMs }
      return { appid, errcode: token.expiresAtMs <= now() ? 42001 : 0, ageMs }
    },
    invalidate: (appid, repeatDead = false) => {
      for (const token of byValue.values()) {
        if (appid !== undefined && token.appid !== appid) continue
        token.diesAtMs = Math.min(token.diesAtMs, now())
        token.forgotten ||= !repeatDead
      }
    },
    configure: (changes) => {
      settings = { ...settings, ...changes }
    },
    settings: () => ({ ...settings }),
    reset: (keepTokens) => {
      settings = { ...DEFAULT_TOKEN_SETTINGS }
      if (keepTokens) return
      byValue.clear()
      byApp.clear()
    },
  }
}

/**
 * WeChat renews a stable token in its last five minutes. A short lifetime set for a test is renewed in its last
 * tenth instead, or it would be renewed at every call. The old one stays good until it expires.
 */
const isNearlyOver = (token: Token, nowMs: number, expiresInS: number): boolean =>
  token.expiresAtMs - nowMs <= Math.min(300, expiresInS / 10) * 1000
