/** What a call means that WeChat has not answered: it was not written, was refused by something before WeChat, or nobody knows. */
import type { AppFault, AppSignal, Outcome, Reason } from '@wechat-outbox/messages'
import { appFault, unexplained } from './app-faults.ts'
import { APP_WAIT_MS, dead, heldOrNot, retry, stepBackMs, wait } from './decisions.ts'
import type { Judgement, Situation } from './judgement.ts'
import {
  type LastAnswer,
  lastAnswerOf,
  notWechatReason,
  refusedReason,
  unreachableReason,
  unsureReason,
} from './reasons.ts'

/** The longest `Retry-After` that is honoured: a longer one is more likely a mistake. */
export const RETRY_AFTER_MS_MAX = 3_600_000

type NoAnswer = Extract<Outcome, { kind: 'not-sent' | 'refused' | 'unsure' }>

export function judgeNoAnswer(outcome: NoAnswer, situation: Situation): Judgement {
  const said = lastAnswerOf(outcome)
  switch (outcome.kind) {
    case 'not-sent': {
      const reason = unreachableReason(said)
      return stepBack({ outcome: outcome.kind, reason, signal: roadFault(reason, situation, 1) }, situation)
    }
    case 'refused': {
      const reason = refusedReason(said)
      return stepBack({ outcome: outcome.kind, reason, signal: refusal(outcome, reason, situation) }, situation)
    }
    case 'unsure':
      return judgeUnsure(outcome, situation)
  }
}

/** WeChat was not reached, and so this is no try. */
function stepBack(
  { outcome, reason, signal }: { outcome: 'not-sent' | 'refused'; reason: Reason; signal: AppSignal },
  situation: Situation,
): Judgement {
  return heldOrNot(wait({ outcome, delayMs: stepBackMs(situation), reason }, situation), signal)
}

function refusal(
  { status, retryAfterMs = 0 }: Extract<Outcome, { kind: 'refused' }>,
  reason: Reason,
  situation: Situation,
): AppSignal {
  const holdMs = Math.ceil(Math.min(retryAfterMs, RETRY_AFTER_MS_MAX))
  if (holdMs > 0) {
    return { kind: 'fault', hold: 'throttled', cause: 'asked', reason, holdMs, everyMs: situation.probeEveryMs }
  }
  // A filter on the way may refuse one message for what it contains, and says so with a page.
  return roadFault(reason, situation, status === 429 || status === 503 ? 1 : 2)
}

function judgeUnsure(outcome: Extract<Outcome, { kind: 'unsure' }>, situation: Situation): Judgement {
  const said = lastAnswerOf(outcome)
  if (situation.ifUnsure === 'dead-letter') {
    const reason = unsureReason(outcome.detail)
    return heldOrNot(dead(reason), outcome.status === undefined ? { kind: 'unknown' } : pageFault(said, situation))
  }
  const decision = retry(said, situation)
  if (outcome.status === undefined) return heldOrNot(decision, { kind: 'unknown' })
  const signal = pageFault(said, situation)
  // Once pages are all that comes, they cost no message a try.
  return {
    decision,
    ifHeld: wait({ outcome: 'suspended', delayMs: APP_WAIT_MS, reason: signal.reason }, situation),
    signal,
  }
}

function pageFault(said: LastAnswer, situation: Situation): AppFault {
  return roadFault(notWechatReason(said), situation, 2)
}

function roadFault(reason: Reason, situation: Situation, people: 1 | 2): AppFault {
  return { ...appFault('suspend', { cause: 'road', reason }, situation), inARow: unexplained(people) }
}
