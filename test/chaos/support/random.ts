/** Chance that can be repeated: the same seed gives the same plan and the same faults in the same order. */
export interface Random {
  /** 0 ≤ value < 1. */
  next(): number
  /** A whole number, both ends included. */
  between(min: number, max: number): number
  shuffle<T>(items: readonly T[]): T[]
}

/** Mulberry32: 32 bits of state are enough to choose moments. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))
  return {
    next,
    between,
    shuffle(items) {
      const mixed = [...items]
      for (let at = mixed.length - 1; at > 0; at -= 1) {
        const other = between(0, at)
        ;[mixed[at], mixed[other]] = [mixed[other] as (typeof mixed)[0], mixed[at] as (typeof mixed)[0]]
      }
      return mixed
    },
  }
}
