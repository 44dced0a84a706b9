import { describe, expect, it } from 'vitest'
import { retryAfterMsOf } from '../src/retry-after.ts'

const NOW_MS = Date.UTC(2025, 0, 1)

describe('retryAfterMsOf', () => {
  it.each([
    ['0', 0],
    [' 120 ', 120_000],
    ['9'.repeat(400), 86_400_000],
    ['Wed, 01 Jan 2025 00:00:05 GMT', 5000],
    ['Tue, 31 Dec 2024 00:00:00 GMT', 0],
    ['Fri, 01 Jan 2999 00:00:00 GMT', 86_400_000],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %s as %s ms', (header, delayMs) => {
    expect(retryAfterMsOf(header, NOW_MS)).toBe(delayMs)
  })
})
