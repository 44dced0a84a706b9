import { describe, expect, it } from 'vitest'
import { parseDuration, parsePast, requestTime, showDuration, showTime } from '../src/times.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')

describe('a time in the past', () => {
  it.each([
    ['30s', NOW - 30_000],
    ['5m', NOW - 300_000],
    ['2h', NOW - 7_200_000],
    ['3d', NOW - 259_200_000],
    ['2026-02-28', Date.parse('2026-02-28T00:00:00Z')],
    ['2026-02-28T10:00', Date.parse('2026-02-28T10:00:00Z')],
    ['2026-02-28 10:00:05Z', Date.parse('2026-02-28T10:00:05Z')],
    ['2026-02-28T10:00:00.250+08:00', Date.parse('2026-02-28T02:00:00.250Z')],
    ['2026-02-28T10:00:00+0800', Date.parse('2026-02-28T02:00:00Z')],
    ['1772000000000', 1_772_000_000_000],
  ])('reads %s', (text, expected) => {
    expect(parsePast(text, NOW)).toBe(expected)
  })

  it.each([
    '',
    'yesterday',
    '2w',
    '-2h',
    '1772000000',
    '2026-02-30',
    '2026-13-01',
    '2026-02-28T25:00',
    '2h ago',
    '1e12',
  ])('refuses %j', (text) => {
    expect(parsePast(text, NOW)).toBeUndefined()
  })
})

it('takes a duration for a request as from now on and leaves the rest to the request', () => {
  expect(requestTime('2h', NOW)).toBe(NOW + 7_200_000)
  expect(requestTime('1772000000000', NOW)).toBe(1_772_000_000_000)
  expect(requestTime('tomorrow', NOW)).toBe('tomorrow')
})

it('shows times in UTC and durations in their two largest units', () => {
  expect(showTime(NOW)).toBe('2026-03-01 12:00:00Z')
  expect(showTime(Number.NaN)).toBe('unknown')
  expect([0, 45_000, 192_000, 7_500_000, 273_600_000, 86_400_000].map(showDuration)).toEqual([
    '0s',
    '45s',
    '3m 12s',
    '2h 5m',
    '3d 4h',
    '1d',
  ])
  expect(parseDuration('2h')).toBe(7_200_000)
})
