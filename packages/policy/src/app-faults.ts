/**
 * How an app is held for a fault of its own, of its quota or of the way to WeChat: such a fault must cost no message a try. The
 * actions of the table that hold an app mean the same here whether a send was answered or a call for a token.
 */
import type { AppFault } from '@wechat-outbox/messages'
import { APP_WAIT_MS, heldOrNot, wait } from './decisions.ts'
import type { HoldAction } from './errcodes.ts'
import type { Judgement, Situation } from './judgement.ts'

const MINUTE_MS = 60_000

/**
 * One rule for every cause, a quota among them: the first probe comes after this, each further pause is twice as long as the
 * one before, up to `probeEveryMs`. A probe is one call, and a fault mostly ends earlier than anybody can reckon.
 */
const FIRST_PROBE_MS = 15_000

const HOLDS: Readonly<Record<HoldAction, (everyMs: number) => Pick<AppFault, 'hold' | 'holdMs' | 'everyMs'>>> = {
  suspend: (everyMs) => ({ hold: 'suspended', ...probed(everyMs) }),
  // A minute has to be over before its quota can be back, and each probe in it counts.
  'throttle-minute': (everyMs) => ({ hold: 'throttled', ...probedEachMinute(everyMs) }),
  'throttle-day': (everyMs) => ({ hold: 'throttled', ...probed(everyMs) }),
}

function probed(everyMs: number): Pick<AppFault, 'holdMs' | 'everyMs'> {
  return { holdMs: Math.min(FIRST_PROBE_MS, everyMs), everyMs }
}

/** Once a minute at most, however often other faults are probed. */
export function probedEachMinute(everyMs: number): Pick<AppFault, 'holdMs' | 'everyMs'> {
  return { holdMs: MINUTE_MS, everyMs: Math.max(everyMs, MINUTE_MS) }
}

/** The fault that an action of the table stands for. */
export function appFault(action: HoldAction, why: Pick<AppFault, 'cause' | 'reason'>, situation: Situation): AppFault {
  return { kind: 'fault', ...why, ...HOLDS[action](situation.probeEveryMs) }
}

/**
 * The circuit breaker: so many calls in a row, none of which brought an answer that only its own message can explain. Where
 * the message could still be what is wrong – a filter on the way refuses it, WeChat knows a code that we do not –, they
 * must have been for two people: one person's messages are often alike.
 */
export function unexplained(people: 1 | 2): NonNullable<AppFault['inARow']> {
  return { group: 'unexplained', max: 5, people }
}

/** The app is held for this fault, and its message waits with it. */
export function holdApp(fault: AppFault, situation: Situation): Judgement {
  const { hold: outcome, reason } = fault
  return heldOrNot(wait({ outcome, delayMs: APP_WAIT_MS, reason }, situation), fault)
}
