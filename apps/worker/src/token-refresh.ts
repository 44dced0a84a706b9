/**
 * How processes get one token between them. Each claims it from Redis: there it finds the token, or that a fetch has just
 * failed, or that somebody else is fetching – then it waits for that – or it gets the right to fetch one itself.
 *
 * A fetch that brings back the very token that WeChat has refused says that it is the current one: it is used again, at once
 * the first time and then after 1, 2, 4 and 8 seconds. Refused even so, it is no token for a minute, and then another is
 * forced, within WeChat's budget; or it is tried once more, for WeChat may have been wrong.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  FailureWait,
  StoredToken,
  TokenClaim,
  TokenFailure,
  TokenLock,
  TokenStore,
} from '@wechat-outbox/outbox/engine'
import { tokenErrcode } from '@wechat-outbox/policy'
import type { Logger } from '@wechat-outbox/runtime'
import type { SharedSource, TokenAnswer } from '@wechat-outbox/wechat'

/** `superseded`: the answer came too late, another process had stored a token meanwhile. */
export type RefreshResult = 'stored' | 'superseded' | 'failed'

export interface RefreshOptions {
  readonly appid: string
  readonly source: SharedSource
  readonly store: TokenStore
  readonly log: Logger
  /** One call to the source, at most. */
  readonly fetchTimeoutMs: number
  /** Called after every fetch, for the metrics. */
  readonly onRefresh?: ((result: RefreshResult) => void) | undefined
  /** Resolves when another process has stored a token, or has failed to. */
  readonly nextNews: () => Promise<void>
}

export type Wanted = Pick<TokenClaim, 'mode' | 'bad' | 'badMsAgo' | 'wordHoldsMs'>

export type Refreshed =
  /** `fetched`: by this process or another while this one waited. */
  | { readonly kind: 'token'; readonly token: StoredToken; readonly fetched: boolean }
  | { readonly kind: 'failure'; readonly failure: TokenFailure; readonly retryInMs: number }

/** WeChat renews a stable token in its last five minutes, while the old one still serves. */
export const RENEW_AHEAD_MS_MAX = 300_000
/** Beside the notification, which may be missed. */
const POLL_MS = 100
const AFTER_REFUSAL = { firstMs: 60_000, mostMs: 60_000 }
const AFTER_SILENCE = { firstMs: 15_000, mostMs: 60_000 }
const AGAIN_SOON_MS = 1000
/** Forcing ends a token that may be good, and WeChat does it 20 times a day. */
const FORCE_AFTER_MS = 60_000

export async function refreshToken(options: RefreshOptions, wanted: Wanted): Promise<Refreshed> {
  const { store, fetchTimeoutMs, nextNews } = options
  // One call and a second: a holder's death costs the others no more than that.
  const lockMs = fetchTimeoutMs + 1000
  const began = performance.now()
  // A holder may make two calls, and may die in the second.
  const until = began + 2 * lockMs + 1000
  let { mode } = wanted
  for (let waited = false; ; waited = true) {
    const news = nextNews()
    const { bad, wordHoldsMs } = wanted
    const badMsAgo = bad === undefined ? 0 : (wanted.badMsAgo ?? 0) + performance.now() - began
    const claimed = await store.claim({ mode, bad, badMsAgo, wordHoldsMs, lockMs, aheadMs: RENEW_AHEAD_MS_MAX })
    if (claimed.kind === 'token') return { ...claimed, fetched: waited }
    if (claimed.kind === 'failure') return claimed
    if (claimed.kind === 'lock') {
      const fetched = await fetchUnderLock(options, wanted, claimed.lock)
      if (fetched !== undefined) return fetched
      // Somebody was faster, and what they found out is as new as what a probe wants to know.
      mode = 'need'
    } else await Promise.race([sleep(POLL_MS), news])
    if (performance.now() >= until) return { kind: 'failure', failure: OTHERS_FAILED, retryInMs: AGAIN_SOON_MS }
  }
}

const OTHERS_FAILED = { detail: 'other processes were fetching a token and did not come back with one' }

/** Undefined: what came back was too late to count, so the token has to be claimed again. */
async function fetchUnderLock(
  options: RefreshOptions,
  wanted: Wanted,
  lock: TokenLock,
): Promise<Refreshed | undefined> {
  const { store, source, log, appid, onRefresh } = options
  try {
    const answer = await ask(source, lock, wanted)
    if (answer.kind !== 'token') {
      const failure = failureOf(answer)
      const retryInMs = await lock.fail(failure, waitAfter(answer))
      log.warn({
        event: 'token.unavailable',
        appid,
        errcode: failure.errcode,
        reason: failure.detail,
        againInMs: retryInMs,
      })
      onRefresh?.('failed')
      return retryInMs > 0 ? { kind: 'failure', failure, retryInMs } : undefined
    }
    const lifetimeMs = answer.expiresInS * 1000
    const { bad } = wanted
    const fetched = { value: answer.value, parameter: source.parameter, lifetimeMs, pauses: bad !== undefined }
    const stored = await lock.store(fetched)
    const result = stored ? 'stored' : 'superseded'
    log.info({ event: 'token.refreshed', appid, result, expiresInS: answer.expiresInS })
    onRefresh?.(result)
    if (!stored) return undefined
    const token = await store.read()
    return token === null ? undefined : { kind: 'token', token, fetched: true }
  } finally {
    await lock.release()
  }
}

async function ask(source: SharedSource, lock: TokenLock, { bad }: Wanted): Promise<TokenAnswer> {
  const isRefused = (answer: TokenAnswer): boolean => answer.kind === 'token' && answer.value === lock.refused
  const plain = await source.fetch(false)
  if (!isRefused(plain)) return plain
  const force = source.canForce && lock.refusedForMs >= FORCE_AFTER_MS && (await lock.mayForce())
  const answer = force ? await source.fetch(true) : plain
  return isRefused(answer) && bad !== undefined && lock.isHopeless ? SAME_AGAIN : answer
}

const SAME_AGAIN = {
  kind: 'refused',
  errcode: 40001,
  errmsg: 'WeChat refuses this token, and no other is given out now',
} as const

function waitAfter(answer: Exclude<TokenAnswer, { kind: 'token' }>): FailureWait {
  if (answer === SAME_AGAIN) return { ...AFTER_REFUSAL, probesWait: true }
  return lasts(failureOf(answer)) ? AFTER_REFUSAL : AFTER_SILENCE
}

/** Whether asking again is pointless until somebody has changed a setting. */
export function lasts({ errcode }: TokenFailure): boolean {
  return errcode !== undefined && tokenErrcode(errcode)?.action === 'suspend'
}

function failureOf(answer: Exclude<TokenAnswer, { kind: 'token' }>): TokenFailure {
  return answer.kind === 'refused' ? { errcode: answer.errcode, detail: answer.errmsg } : { detail: answer.detail }
}
