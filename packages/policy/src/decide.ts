/**
 * What becomes of a message after a call: the judgement, as a pure function of what came back and of the message's
 * situation. Nothing here reads a clock, draws a number or changes anything: the worker makes the decision true.
 *
 * Absent on purpose: reply windows are not reckoned here. WeChat's own 45015 and 45047 are the truth about them.
 */
import type { Outcome, Reason } from '@wechat-outbox/messages'
import { backoffDelayMs } from './backoff.ts'
import { sendErrcode, tokenErrcode } from './errcodes.ts'
import {
  answerReason,
  expiredReason,
  lastAnswerOf,
  noTokenReason,
  retriesExhaustedReason,
  unsureReason,
} from './reasons.ts'

export interface Situation {
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** 0 ≤ random < 1. */
  readonly random: number
  /** Tries that count, the one just made included. */
  readonly tries: number
  readonly triesMax: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  /** Epoch milliseconds. No try is made at this moment or later. */
  readonly expiresAt?: number | undefined
  readonly ifUnsure: 'resend' | 'dead-letter'
  /** Tokens fetched for this run after WeChat had refused the one before: past a few, tokens are not what is wrong. */
  readonly tokenRefreshes: number
}

export type WaitOutcome = 'throttled' | 'suspended' | 'token-unavailable'

export type Decision =
  | { readonly action: 'delivered' }
  /** Replace the token and send again at once. The try does not count. */
  | { readonly action: 'refresh-token' }
  /** The try counts, and the next one comes after `delayMs`. */
  | { readonly action: 'retry'; readonly delayMs: number }
  /** The fault is not the message's: it waits, keeps its turn, and the try does not count. */
  | { readonly action: 'wait'; readonly delayMs: number; readonly outcome: WaitOutcome; readonly reason: Reason }
  | { readonly action: 'dead'; readonly reason: Reason }

/**
 * How long a message waits when its app is suspended or throttled. Long enough for a minute's quota to come back and
 * short enough that a corrected setting is noticed without anybody's help.
 */
export const APP_WAIT_MS = 60_000

/** How long a message waits when a token could not be had for a passing reason, and nobody says when to ask again. */
export const TOKEN_WAIT_MS = 5_000

/** Two tokens may die one after the other within one run; a third fresh one that is refused says that the app is at fault. */
export const TOKEN_REFRESHES_MAX = 3

/** The longest `Retry-After` that is honoured: past it the header is more likely a mistake than a wish. */
export const RETRY_AFTER_MS_MAX = 3_600_000

type Answered = Extract<Outcome, { kind: 'answered' }>

/** Never throws, and every combination has an end: tries and `expiresAt` bound all that repeats. */
export function decide(outcome: Outcome, situation: Situation): Decision {
  switch (outcome.kind) {
    case 'answered':
      return decideAnswer(outcome, situation)
    case 'not-sent':
      return retry(outcome, situation)
    case 'refused':
      return retry(outcome, situation, Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX))
    case 'unsure':
      return situation.ifUnsure === 'resend' ? retry(outcome, situation) : dead(unsureReason(outcome.detail))
    case 'no-token':
      return decideNoToken(outcome, situation)
  }
}

function decideAnswer(outcome: Answered, situation: Situation): Decision {
  const action = sendErrcode(outcome.errcode)?.action ?? 'dead'
  const reason = answerReason(outcome)
  switch (action) {
    case 'delivered':
      return { action: 'delivered' }
    // -1 is WeChat's own word that it was busy: `ifUnsure` is about calls that nobody answered.
    case 'retry':
      return retry(outcome, situation)
    case 'refresh-token':
      return refresh(outcome, situation)
    case 'suspend':
      return wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason }, situation)
    case 'throttle-minute':
    case 'throttle-day':
      return wait({ outcome: 'throttled', delayMs: APP_WAIT_MS, reason }, situation)
    case 'dead':
      return dead(reason)
  }
}

/** A new token deserves an immediate try. If WeChat refuses every one of them, something is wrong with the app. */
function refresh(outcome: Answered, situation: Situation): Decision {
  if (situation.tokenRefreshes >= TOKEN_REFRESHES_MAX) {
    return wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason: answerReason(outcome) }, situation)
  }
  return isExpiredAt(situation.nowMs, situation) ? expired(outcome) : { action: 'refresh-token' }
}

function decideNoToken(outcome: Extract<Outcome, { kind: 'no-token' }>, situation: Situation): Decision {
  const reason = noTokenReason(lastAnswerOf(outcome))
  const action = outcome.errcode === undefined ? undefined : tokenErrcode(outcome.errcode)?.action
  // The endpoint is not asked before that, so there is nothing to look for earlier.
  const plannedMs = outcome.retryInMs ?? (action === 'suspend' ? APP_WAIT_MS : TOKEN_WAIT_MS)
  const delayMs = Math.min(Math.max(1, Math.ceil(plannedMs)), APP_WAIT_MS)
  if (action === 'suspend') return wait({ outcome: 'suspended', delayMs, reason }, situation)
  const throttled = action === 'throttle-minute' || action === 'throttle-day'
  return wait({ outcome: throttled ? 'throttled' : 'token-unavailable', delayMs, reason }, situation)
}

function retry(outcome: Outcome, situation: Situation, delayMsMin = 0): Decision {
  if (situation.tries >= situation.triesMax) return dead(retriesExhaustedReason(lastAnswerOf(outcome)))
  const delayMs = Math.max(backoffDelayMs(situation), Math.ceil(delayMsMin))
  return isExpiredAt(situation.nowMs + delayMs, situation) ? expired(outcome) : { action: 'retry', delayMs }
}

/** A wait ends at `expiresAt` at the latest, so that the message dies on time. If that moment is past, it dies now. */
function wait(planned: Omit<Extract<Decision, { action: 'wait' }>, 'action'>, situation: Situation): Decision {
  const { nowMs, expiresAt } = situation
  if (expiresAt === undefined) return { action: 'wait', ...planned }
  if (nowMs >= expiresAt) return dead(expiredReason(planned.reason))
  return { action: 'wait', ...planned, delayMs: Math.min(planned.delayMs, expiresAt - nowMs) }
}

function isExpiredAt(atMs: number, { expiresAt }: Situation): boolean {
  return expiresAt !== undefined && atMs >= expiresAt
}

function expired(outcome: Outcome): Decision {
  return dead(expiredReason(lastAnswerOf(outcome)))
}

function dead(reason: Reason): Decision {
  return { action: 'dead', reason }
}
