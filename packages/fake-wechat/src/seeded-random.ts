// Faults at a rate must fall on the same requests in every run, or a failing run cannot be repeated.
// So chance comes from a small seeded generator (mulberry32) instead of Math.random.

/** Returns a function that gives numbers in [0, 1), the same sequence for the same seed. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
