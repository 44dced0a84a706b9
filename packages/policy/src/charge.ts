/**
 * What an outcome says about the app. A fault of the app or of the road must cost no message a try, so it is told apart
 * here from what is the message's own. Pure, like the judgement beside it, and from the same table.
 */
import type { AppFault, Charge, Outcome } from '@wechat-outbox/messages'
import { TOKEN_REFRESHES_MAX } from './decide.ts'
import { sendErrcode, tokenErrcode } from './errcodes.ts'
import { answerReason, lastAnswerOf, noTokenReason, refusedReason, unreachableReason } from './reasons.ts'

export interface ChargeSituation {
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** Tokens fetched for this run after WeChat had refused the one before. */
  readonly tokenRefreshes: number
  /** How long a suspended app waits for its next probe, in milliseconds. */
  readonly probeEveryMs: number
}

/** The longest `Retry-After` that is honoured: past it the header is more likely a mistake than a wish. */
export const RETRY_AFTER_MS_MAX = 3_600_000

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Calls in a row that never reached WeChat. */
const ROAD_MAX = 5
/** Runs in a row that found no token for a passing reason, and how long the endpoint is then left alone at least. */
const NO_TOKEN_MAX = 5
const NO_TOKEN_MS = 15_000

export function chargeOf(outcome: Outcome, situation: ChargeSituation): Charge {
  const { probeEveryMs } = situation
  switch (outcome.kind) {
    case 'answered':
      return chargeOfAnswer(outcome, situation)
    case 'not-sent':
      return roadFault(unreachableReason(lastAnswerOf(outcome)), probeEveryMs)
    case 'refused': {
      const reason = refusedReason(lastAnswerOf(outcome))
      const holdMs = Math.ceil(Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX))
      return holdMs > 0
        ? { kind: 'fault', hold: 'throttled', cause: 'asked', reason, holdMs }
        : roadFault(reason, probeEveryMs)
    }
    case 'unsure':
      return { kind: 'unknown' }
    case 'no-token':
      return chargeOfNoToken(outcome, situation)
  }
}

function chargeOfAnswer(outcome: Extract<Outcome, { kind: 'answered' }>, situation: ChargeSituation): Charge {
  const { nowMs, tokenRefreshes, probeEveryMs } = situation
  const row = sendErrcode(outcome.errcode)
  const suspended = { kind: 'fault', hold: 'suspended', cause: 'send', holdMs: probeEveryMs } as const
  const quota = { kind: 'fault', hold: 'throttled', cause: 'quota' } as const
  const reason = answerReason(outcome)
  switch (row?.action) {
    // A code that nobody knows may be anybody's fault.
    case undefined:
    case 'retry':
      return { kind: 'reached' }
    case 'delivered':
      return { kind: 'delivered' }
    case 'dead':
      return row.suspendAfterInARow === undefined
        ? { kind: 'healthy' }
        : { ...suspended, reason, inARow: { group: 'unauthorized', max: row.suspendAfterInARow } }
    case 'refresh-token':
      if (tokenRefreshes < TOKEN_REFRESHES_MAX) return { kind: 'reached' }
      // Each probe costs a handful of tokens, and the endpoint is to hear of us five times a minute at most.
      return { ...suspended, reason, holdMs: Math.max(probeEveryMs, MINUTE_MS) }
    case 'suspend':
      return { ...suspended, reason }
    case 'throttle-minute':
      return { ...quota, reason, holdMs: MINUTE_MS }
    case 'throttle-day':
      return { ...quota, reason, holdMs: untilQuotaMs(nowMs) }
  }
}

function roadFault(reason: AppFault['reason'], holdMs: number): AppFault {
  return { kind: 'fault', hold: 'suspended', cause: 'road', reason, holdMs, inARow: { group: 'road', max: ROAD_MAX } }
}

/** Whatever holds the app, the token endpoint is what the probe asks. */
function chargeOfNoToken(outcome: Extract<Outcome, { kind: 'no-token' }>, situation: ChargeSituation): AppFault {
  const { nowMs, probeEveryMs } = situation
  const reason = noTokenReason(lastAnswerOf(outcome))
  const fault = { kind: 'fault', hold: 'suspended', cause: 'token', reason } as const
  switch (outcome.errcode === undefined ? undefined : tokenErrcode(outcome.errcode)?.action) {
    case undefined: {
      // What is left of the endpoint's own pause may be nothing, and this is the interval of the probes as well.
      const holdMs = Math.min(Math.max(Math.ceil(outcome.retryInMs ?? 0), NO_TOKEN_MS), probeEveryMs)
      return { ...fault, holdMs, inARow: { group: 'token', max: NO_TOKEN_MAX } }
    }
    case 'throttle-minute':
      return { ...fault, hold: 'throttled', holdMs: MINUTE_MS }
    case 'throttle-day':
      return { ...fault, hold: 'throttled', holdMs: untilQuotaMs(nowMs) }
    default:
      return { ...fault, holdMs: probeEveryMs }
  }
}

const CHINA_OFFSET_MS = 8 * 3_600_000
/** WeChat's counters need not turn with our clock, and a probe that comes a moment too early must not cost a day. */
const AFTER_MIDNIGHT_MS = 30 * MINUTE_MS
const AGAIN_MS = 5 * MINUTE_MS

/** How long until the daily quota may be back: midnight in China; in the half hour after it, five minutes. */
export function untilQuotaMs(nowMs: number): number {
  const ofDayMs = (nowMs + CHINA_OFFSET_MS) % DAY_MS
  return ofDayMs < AFTER_MIDNIGHT_MS ? AGAIN_MS : DAY_MS - ofDayMs
}
