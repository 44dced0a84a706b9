/** The history entry of one call: what came back and what it was judged to be, as `status(id)` and dead letters show it. */
import type { Attempt, AttemptOutcome, Outcome } from '@wechat-outbox/messages'
import type { Decision } from './judgement.ts'
import { lastAnswerOf } from './reasons.ts'

export interface Timing {
  /** Epoch milliseconds at which the call began. */
  readonly at: number
  /** How long it took, in milliseconds. */
  readonly ms: number
}

/** Where WeChat said nothing, `errcode` is absent and `errmsg` holds the transport's few words. */
export function attemptOf(outcome: Outcome, decision: Decision, { at, ms }: Timing): Attempt {
  const { errcode, errmsg, rid } = lastAnswerOf(outcome)
  return {
    at,
    outcome: attemptOutcome(outcome, decision),
    ms,
    ...(errcode === null ? {} : { errcode }),
    ...(errmsg === '' ? {} : { errmsg }),
    ...(rid === undefined ? {} : { rid }),
  }
}

/**
 * A call that WeChat answered is named by the judgement, any other by what happened to it: `unsure` stays `unsure` even
 * where the message died of it, because that word tells a reader that somebody may have got the message.
 */
function attemptOutcome(outcome: Outcome, decision: Decision): AttemptOutcome {
  switch (outcome.kind) {
    case 'answered':
    case 'no-media':
      return judged(decision)
    case 'no-token':
      return decision.action === 'wait' ? decision.outcome : 'token-unavailable'
    case 'not-sent':
    case 'refused':
    case 'unsure':
      return outcome.kind
  }
}

function judged(decision: Decision): AttemptOutcome {
  switch (decision.action) {
    case 'refresh-token':
      return 'token-refreshed'
    case 'wait':
      return decision.outcome
    case 'renew-media':
      return 'media-renewed'
    case 'await-user':
      return 'waiting-for-user'
    case 'delivered':
    case 'retry':
    case 'dead':
      return decision.action
  }
}
