import { expect, it } from 'vitest'
import { alone, atLeast, atMost, compared, isReached } from '../src/row.ts'
import { inTurns, percentile, ratiosOf, spreadOf } from '../src/stats.ts'

it('compares within each turn and not across them', () => {
  // The machine was twice as slow in the second turn, for both.
  expect(ratiosOf([100, 50, 90], [50, 25, 100])).toEqual({ median: 2, min: 0.9, max: 2, runs: 3 })
})

it('refuses to summarise nothing', () => {
  expect(() => spreadOf([])).toThrow('nothing was measured')
})

it('takes a percentile between two values', () => {
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5)
  expect(percentile([1, 2, 3, 4], 1)).toBe(4)
})

it('measures the sides in turns', async () => {
  const order: string[] = []
  const measured = await inTurns(2, ['a', 'b'], async (side) => order.push(side))
  expect(order).toEqual(['a', 'b', 'a', 'b'])
  expect(measured).toEqual({ a: [1, 3], b: [2, 4] })
})

it('judges the ratio where there is one, and the figure where there is none', () => {
  const described = { name: 'n', what: 'w', unit: 'u' }
  expect(isReached(compared({ ...described, target: atLeast(0.9) }, [90], [100]))).toBe(true)
  expect(isReached(compared({ ...described, target: atLeast(0.9) }, [89], [100]))).toBe(false)
  expect(isReached(alone({ ...described, target: atMost(13) }, [14]))).toBe(false)
  expect(isReached(alone(described, [14]))).toBeUndefined()
})
