/** Whether a fault can be the cause of something: it can when it may have left a call open, and came about then. */
import { AFTERMATH_MS, type FiredFault, isRefusal } from './fault-plan.ts'

/** A fault meets what began this long before it, in ms: a call and its settling last no longer than their lease. */
const BEFORE_MS = 4000

/** Whether a fault that leaves calls open can have met what happened then. A refusal leaves none. */
export function isNearFault(at: number, fired: readonly FiredFault[], beforeMs = BEFORE_MS): boolean {
  return fired.some((fault) => fault.open > 0 && at >= fault.from - beforeMs && at <= fault.until + AFTERMATH_MS)
}

export function isNearRefusal(at: number, fired: readonly FiredFault[]): boolean {
  return fired.some(({ kind, from, until }) => isRefusal(kind) && at >= from - BEFORE_MS && at <= until + AFTERMATH_MS)
}

export function whatWasNear(at: number, fired: readonly FiredFault[]): string {
  return isNearRefusal(at, fired) ? 'Redis only refused' : 'no fault was near'
}
