/**
 * What the gateway has a bounded amount of – bytes of bodies, calls to WeChat – and of which no caller may take so much that nothing is left for
 * the others.
 */

export interface Shares {
  /**
   * Takes an amount for all of these holders, a key and an app for instance, or for none of them: null where it is more than what is left or than
   * one may have. What comes back returns it, and may be called again.
   */
  take(amount: number, holders: readonly string[]): (() => void) | null
}

export interface SharesOptions {
  readonly total: number
  /** The most that one holder may have. */
  readonly each: number
}

export function createShares({ total, each }: SharesOptions): Shares {
  const held = new Map<string, number>()
  let taken = 0
  const add = (amount: number, holders: readonly string[]): void => {
    taken += amount
    for (const holder of holders) {
      const sum = (held.get(holder) ?? 0) + amount
      if (sum === 0) held.delete(holder)
      else held.set(holder, sum)
    }
  }
  return {
    take(amount, holders) {
      if (taken + amount > total || holders.some((holder) => (held.get(holder) ?? 0) + amount > each)) return null
      add(amount, holders)
      let isReturned = false
      return () => {
        if (!isReturned) add(-amount, holders)
        isReturned = true
      }
    },
  }
}
