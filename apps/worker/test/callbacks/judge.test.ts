import { expect, it } from 'vitest'
import { judgeAnswer } from '../../src/callbacks/judge.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const answered = (status: number, headers: Record<string, string> = {}) =>
  ({ kind: 'answered', status, headers, body: Buffer.alloc(0) }) as const

it.each([200, 201, 202, 204, 299])('takes %i for taken', (status) => {
  expect(judgeAnswer(answered(status), NOW)).toEqual({ kind: 'taken' })
})

it.each([101, 300, 301, 302, 307, 400, 401, 404, 429, 500, 503])('takes %i for a failure', (status) => {
  const called = judgeAnswer(answered(status), NOW)
  expect(called).toMatchObject({ kind: 'failed', why: `status ${status}`, isGone: false })
})

it('takes 410 for the wish to be told no more', () => {
  expect(judgeAnswer(answered(410), NOW)).toMatchObject({ kind: 'failed', isGone: true })
})

it('goes by the status of an answer whose body nobody reads to its end', () => {
  const tooLarge = { kind: 'too-large', detail: 'larger than 16384 bytes' } as const
  expect(judgeAnswer({ ...tooLarge, status: 200 }, NOW)).toEqual({ kind: 'taken' })
  expect(judgeAnswer({ ...tooLarge, status: 502 }, NOW)).toMatchObject({ kind: 'failed', why: 'status 502' })
})

it.each([
  ['120', 120_000],
  ['Sun, 01 Mar 2026 12:01:00 GMT', 60_000],
  ['soon', undefined],
])('hears when to come back: %s', (header, retryAfterMs) => {
  expect(judgeAnswer(answered(503, { 'retry-after': header }), NOW)).toMatchObject({ retryAfterMs })
})

it.each([
  ['refused', 'the host has no public address'],
  ['broken', 'timeout'],
] as const)('says what it was where no answer came: %s', (kind, detail) => {
  expect(judgeAnswer({ kind, detail }, NOW)).toEqual({ kind: 'failed', why: detail })
})
