/** How long a message waits before its next try: longer each time, and never at the same moment as the others. */

export interface Backoff {
  /** Tries made so far, the failed one included: 1 or more. */
  readonly tries: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  /** 0 ≤ random < 1. */
  readonly random: number
}

/** 2 to this power times a millisecond is longer than any limit that anybody sets, and still an exact number. */
const DOUBLINGS_MAX = 40

/**
 * Exponential backoff with full jitter: anywhere between nothing and the ceiling, so that messages that failed together
 * do not come back together. At least 1 ms, at most `backoffMsMax`, in whole milliseconds.
 */
export function backoffDelayMs({ tries, backoffMs, backoffMsMax, random }: Backoff): number {
  const doublings = Math.min(Math.max(tries - 1, 0), DOUBLINGS_MAX)
  const ceilingMs = Math.min(backoffMs * 2 ** doublings, backoffMsMax)
  return Math.max(1, Math.floor(ceilingMs * random))
}
