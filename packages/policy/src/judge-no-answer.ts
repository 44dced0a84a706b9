/** What a call means that WeChat has not answered: it was not written, was turned away on the road, or nobody knows. */
import type { AppSignal, Outcome, Reason } from '@wechat-outbox/messages'
import { appFault } from './app-faults.ts'
import { dead, heldOrNot, retry, wait } from './decisions.ts'
import type { Judgement, Situation } from './judgement.ts'
import { lastAnswerOf, refusedReason, unreachableReason, unsureReason } from './reasons.ts'

/** The longest `Retry-After` that is honoured: past it the header is more likely a mistake than a wish. */
export const RETRY_AFTER_MS_MAX = 3_600_000

/** Calls in a row that never reached WeChat. */
const ROAD_MAX = 5

type NoAnswer = Extract<Outcome, { kind: 'not-sent' | 'refused' | 'unsure' }>

export function judgeNoAnswer(outcome: NoAnswer, situation: Situation): Judgement {
  const said = lastAnswerOf(outcome)
  switch (outcome.kind) {
    case 'not-sent':
      return stepBack({ outcome: outcome.kind, reason: unreachableReason(said) }, situation)
    case 'refused':
      return stepBack({ outcome: outcome.kind, reason: refusedReason(said), askedMs: outcome.retryAfterMs }, situation)
    case 'unsure': {
      const decision = situation.ifUnsure === 'resend' ? retry(said, situation) : dead(unsureReason(outcome.detail))
      return heldOrNot(decision, { kind: 'unknown' })
    }
  }
}

interface RoadFault {
  readonly outcome: 'not-sent' | 'refused'
  readonly reason: Reason
  /** What `Retry-After` asks for. */
  readonly askedMs?: number | undefined
}

/** The road's fault, and so no try: a pause of about the first backoff. It does not grow, because a road that stays closed holds the app. */
function stepBack({ outcome, reason, askedMs = 0 }: RoadFault, situation: Situation): Judgement {
  const { random, backoffMs, backoffMsMax, probeEveryMs: everyMs } = situation
  const delayMs = Math.max(1, Math.ceil(Math.min(backoffMs * (0.5 + random), backoffMsMax)))
  const holdMs = Math.ceil(Math.min(askedMs, RETRY_AFTER_MS_MAX))
  const signal: AppSignal =
    holdMs > 0
      ? { kind: 'fault', hold: 'throttled', cause: 'asked', reason, holdMs, everyMs }
      : { ...appFault('suspend', { cause: 'road', reason }, situation), inARow: { group: 'road', max: ROAD_MAX } }
  return heldOrNot(wait({ outcome, delayMs, reason }, situation), signal)
}
