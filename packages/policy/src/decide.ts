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
  refusedReason,
  retriesExhaustedReason,
  unreachableReason,
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
  /** The app is held by now, be it for this outcome: then its messages wait. */
  readonly held?: boolean
}

export type WaitOutcome = 'throttled' | 'suspended' | 'token-unavailable' | 'not-sent' | 'refused'

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
 * How long a message steps back when its app is suspended or throttled. The hold on the app does the waiting: this is
 * only to let it be fetched soon after the hold has ended.
 */
export const APP_WAIT_MS = 1000

/** How long a message waits when a token could not be had for a passing reason, and nobody says when to ask again. */
export const TOKEN_WAIT_MS = 5_000

/** Two tokens may die one after the other within one run; a third fresh one that is refused says that the app is at fault. */
export const TOKEN_REFRESHES_MAX = 3

type Answered = Extract<Outcome, { kind: 'answered' }>

/** Never throws, and every combination has an end: tries and `expiresAt` bound all that repeats. */
export function decide(outcome: Outcome, situation: Situation): Decision {
  switch (outcome.kind) {
    case 'answered':
      return decideAnswer(outcome, situation)
    case 'not-sent':
      return stepBack({ outcome: 'not-sent', reason: unreachableReason(lastAnswerOf(outcome)) }, situation)
    case 'refused':
      return stepBack({ outcome: 'refused', reason: refusedReason(lastAnswerOf(outcome)) }, situation)
    case 'unsure':
      return situation.ifUnsure === 'resend' ? retry(outcome, situation) : dead(unsureReason(outcome.detail))
    case 'no-token':
      return decideNoToken(outcome, situation)
  }
}

function decideAnswer(outcome: Answered, situation: Situation): Decision {
  const row = sendErrcode(outcome.errcode)
  const action = row?.action ?? 'dead'
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
      // The same answer to one message after another is the app's fault, and kills no more of them.
      return situation.held && row?.suspendAfterInARow !== undefined
        ? wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason }, situation)
        : dead(reason)
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
  if (action === 'suspend') return wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason }, situation)
  if (action !== undefined) return wait({ outcome: 'throttled', delayMs: APP_WAIT_MS, reason }, situation)
  // The endpoint is not asked before `retryInMs`, but another process may have a token earlier.
  const delayMs = Math.min(Math.max(1, Math.ceil(outcome.retryInMs ?? TOKEN_WAIT_MS)), TOKEN_WAIT_MS)
  return wait({ outcome: 'token-unavailable', delayMs, reason }, situation)
}

/** The road's fault, and so no try: a pause of about the first backoff. It does not grow, because a road that stays closed holds the app. */
function stepBack(
  what: Pick<Extract<Decision, { action: 'wait' }>, 'outcome' | 'reason'>,
  situation: Situation,
): Decision {
  const { random, backoffMs, backoffMsMax } = situation
  return wait(
    { ...what, delayMs: Math.max(1, Math.ceil(Math.min(backoffMs * (0.5 + random), backoffMsMax))) },
    situation,
  )
}

function retry(outcome: Outcome, situation: Situation): Decision {
  if (situation.tries >= situation.triesMax) return dead(retriesExhaustedReason(lastAnswerOf(outcome)))
  const delayMs = backoffDelayMs(situation)
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
