import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffDelayMs } from '../src/index.ts'

const limits = { backoffMs: 1000, backoffMsMax: 300_000 }
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('backoffDelayMs', () => {
  it('doubles its ceiling with every try, up to the limit', () => {
    const ceilings = [1, 2, 3, 4, 9, 10, 16].map((tries) => backoffDelayMs({ ...limits, tries, random: 1 - 2 ** -53 }))
    expect(ceilings).toEqual([999, 1999, 3999, 7999, 255_999, 299_999, 299_999])
  })

  it('spreads the delay over the whole range below the ceiling', () => {
    expect([0, 0.25, 0.5].map((value) => backoffDelayMs({ ...limits, tries: 3, random: value }))).toEqual([
      1, 1000, 2000,
    ])
  })

  it('is a millisecond without a backoff, and the limit after more tries than can be doubled', () => {
    expect(backoffDelayMs({ tries: 1_000_000, backoffMs: 0, backoffMsMax: 1000, random: 0.5 })).toBe(1)
    expect(backoffDelayMs({ tries: 1_000_000, backoffMs: 1, backoffMsMax: 1000, random: 0.5 })).toBe(500)
  })

  it('stays a whole number of milliseconds between 1 and the limit, however many tries there were', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.integer({ min: 1, max: 100_000_000 }),
        random,
        (tries, backoffMs, backoffMsMax, value) => {
          const delayMs = backoffDelayMs({ tries, backoffMs, backoffMsMax, random: value })
          expect(Number.isSafeInteger(delayMs)).toBe(true)
          expect(delayMs).toBeGreaterThanOrEqual(1)
          expect(delayMs).toBeLessThanOrEqual(backoffMsMax)
        },
      ),
    )
  })
})
