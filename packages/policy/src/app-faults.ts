/**
 * How an app is held for a fault of its own, of its quota or of the road: such a fault must cost no message a try. The
 * actions of the table that hold an app mean the same here whether a send was answered or a call for a token.
 */
import type { AppFault } from '@wechat-outbox/messages'
import { APP_WAIT_MS, heldOrNot, wait } from './decisions.ts'
import type { HoldAction } from './errcodes.ts'
import type { Judgement, Situation } from './judgement.ts'

export const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const HOLDS: Readonly<Record<HoldAction, (situation: Situation) => Pick<AppFault, 'hold' | 'holdMs'>>> = {
  suspend: ({ probeEveryMs }) => ({ hold: 'suspended', holdMs: probeEveryMs }),
  'throttle-minute': () => ({ hold: 'throttled', holdMs: MINUTE_MS }),
  'throttle-day': ({ nowMs }) => ({ hold: 'throttled', holdMs: untilQuotaMs(nowMs) }),
}

/** The fault that an action of the table stands for. */
export function appFault(action: HoldAction, why: Pick<AppFault, 'cause' | 'reason'>, situation: Situation): AppFault {
  return { kind: 'fault', ...why, ...HOLDS[action](situation) }
}

/** The app is held for this fault, and its message waits with it. */
export function holdApp(fault: AppFault, situation: Situation): Judgement {
  const { hold: outcome, reason } = fault
  return heldOrNot(wait({ outcome, delayMs: APP_WAIT_MS, reason }, situation), fault)
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
