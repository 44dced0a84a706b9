import { expect, it } from 'vitest'
import { createSeldom } from '../src/seldom.ts'

it('tells a cause once in an interval, and another one at once', () => {
  const seldom = createSeldom(60_000)
  const said: string[] = []
  for (const cause of ['a', 'a', 'b', 'a']) seldom(cause, (times) => said.push(`${cause}${times}`))
  expect(said).toEqual(['a1', 'b1'])
})

it('tells after the interval how often it was met', () => {
  const told: number[] = []
  const seldom = createSeldom(20)
  const end = performance.now() + 70
  let met = 0
  while (performance.now() < end || told.length < 2) {
    met += 1
    seldom('a', (times) => told.push(times))
  }
  expect(told[0]).toBe(1)
  expect(told.reduce((sum, times) => sum + times, 0)).toBeLessThanOrEqual(met)
  expect(told[1]).toBeGreaterThan(1)
})

it('remembers a bounded number of causes', () => {
  const seldom = createSeldom(60_000)
  let said = 0
  for (let n = 0; n <= 100; n += 1) seldom(`cause ${n}`, () => (said += 1))
  seldom('cause 0', () => (said += 1))
  expect(said).toBe(102)
})
