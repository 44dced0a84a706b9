/**
 * How much a key may ask for in a second, so that one caller cannot fill Redis or keep the gateway busy. Counted in this process: several
 * gateways let through as many times as much.
 */

/** What is spent in advance: a second's worth, after a second without a call. */
const BURST_MS = 1000

export interface RateLimit {
  /**
   * Spends so much, or says in how many milliseconds to ask again. What is more than a second's worth at once, a batch for instance, passes if anything is
   * left, and is made up for by a longer wait.
   */
  spend(amount: number): number
}

const UNLIMITED: RateLimit = { spend: () => 0 }

/** `perSecond` undefined: no limit. */
export function createRateLimit(perSecond: number | undefined): RateLimit {
  if (perSecond === undefined) return UNLIMITED
  const costMs = 1000 / perSecond
  /** When everything that has been spent will have been earned. */
  let paidAt = -Infinity
  return {
    spend(amount) {
      const now = performance.now()
      const waitMs = paidAt - now - BURST_MS + costMs
      // Rounding must not make a limit of one lower than that.
      if (waitMs > 0.001) return waitMs
      paidAt = Math.max(paidAt, now) + amount * costMs
      return 0
    },
  }
}
