import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createRateLimit } from '../src/rate-limit.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('lets a second’s worth pass at once, and then as much as a second brings', () => {
  const limit = createRateLimit(10)
  const passed = (): number => Array.from({ length: 50 }, () => limit.spend(1)).filter((waitMs) => waitMs === 0).length
  expect(passed()).toBe(10)
  expect(limit.spend(1)).toBeCloseTo(100)
  vi.advanceTimersByTime(100)
  expect(passed()).toBe(1)
  vi.advanceTimersByTime(500)
  expect(passed()).toBe(5)
  vi.advanceTimersByTime(3_600_000)
  expect(passed()).toBe(10)
})

it('takes a batch that is larger than a second’s worth, and makes up for it', () => {
  const limit = createRateLimit(10)
  expect(limit.spend(1000)).toBe(0)
  expect(limit.spend(1)).toBeCloseTo(99_100)
  vi.advanceTimersByTime(99_100)
  expect(limit.spend(1)).toBe(0)
})

it('keeps a limit of one', () => {
  const limit = createRateLimit(1)
  expect(limit.spend(1)).toBe(0)
  expect(limit.spend(1)).toBeGreaterThan(0)
  vi.advanceTimersByTime(1000)
  expect(limit.spend(1)).toBe(0)
})

it('is none where none is set', () => {
  const limit = createRateLimit(undefined)
  for (let n = 0; n < 100_000; n += 1) expect(limit.spend(1000)).toBe(0)
})
