/** What may become of a message: the decisions that its tries and its `expiresAt` bound, each made in one place. */
import type { AppSignal, Reason } from '@wechat-outbox/messages'
import { backoffDelayMs } from './backoff.ts'
import type { Decision, Judgement, Situation, WaitOutcome } from './judgement.ts'
import { expiredReason, type LastAnswer, retriesExhaustedReason } from './reasons.ts'

/**
 * How long a message steps back when its app is suspended or throttled. The hold on the app does the waiting: this is
 * only to let it be fetched soon after the hold has ended.
 */
export const APP_WAIT_MS = 1000

export const DELIVERED: Decision = { action: 'delivered' }

export function dead(reason: Reason): Decision {
  return { action: 'dead', reason }
}

/**
 * The try counts. The last one of the budget is the end, and so is a pause that would last until `expiresAt`. `pauseMsMin`: who
 * was asked wants to be asked no sooner.
 */
export function retry(said: LastAnswer, situation: Situation, pauseMsMin = 0): Decision {
  if (situation.tries >= situation.triesMax) return dead(retriesExhaustedReason(said))
  const delayMs = Math.max(backoffDelayMs(situation), Math.ceil(pauseMsMin))
  return isExpiredAt(situation.nowMs + delayMs, situation) ? dead(expiredReason(said)) : { action: 'retry', delayMs }
}

/** At once and with another token, unless the message has expired. */
export function again(said: LastAnswer, situation: Situation): Decision {
  return isExpiredAt(situation.nowMs, situation) ? dead(expiredReason(said)) : { action: 'refresh-token' }
}

/** At once and with another media id of the same picture, unless the message has expired. */
export function renewMedia(said: LastAnswer, situation: Situation): Decision {
  return isExpiredAt(situation.nowMs, situation) ? dead(expiredReason(said)) : { action: 'renew-media' }
}

interface Wait {
  readonly outcome: WaitOutcome
  readonly delayMs: number
  readonly reason: Reason
}

/** A wait ends at `expiresAt` at the latest, so that the message dies on time. If that moment is past, it dies now. */
export function wait(planned: Wait, { nowMs, expiresAt }: Situation): Decision {
  if (expiresAt === undefined) return { action: 'wait', ...planned }
  if (nowMs >= expiresAt) return dead(expiredReason(planned.reason))
  return { action: 'wait', ...planned, delayMs: Math.min(planned.delayMs, expiresAt - nowMs) }
}

/** A pause of about the first backoff, for what costs no try. It does not grow, because what lasts holds the app. */
export function stepBackMs({ random, backoffMs, backoffMsMax }: Situation): number {
  return Math.max(1, Math.ceil(Math.min(backoffMs * (0.5 + random), backoffMsMax)))
}

/** For all but few outcomes a hold changes nothing about the message. */
export function heldOrNot(decision: Decision, signal: AppSignal): Judgement {
  return { decision, ifHeld: decision, signal }
}

function isExpiredAt(atMs: number, { expiresAt }: Situation): boolean {
  return expiresAt !== undefined && atMs >= expiresAt
}
