import { describe, expect, it } from 'vitest'
import { expiredReason, failedElsewhereReason, invalidMessageReason, OWN_SOURCE, unsureReason } from '../src/index.ts'

describe('a reason of our own', () => {
  it.each([
    [expiredReason(), 'expired'],
    [invalidMessageReason('text.content is missing'), 'invalid-message'],
    [unsureReason('HTTP 502'), 'unsure'],
    [failedElsewhereReason('job stalled more than allowable limit', false), 'failed-elsewhere'],
    [failedElsewhereReason('job stalled more than allowable limit', true), 'unsure'],
  ])('has no code, its own name and our rule as its source: %#', (reason, name) => {
    expect(reason).toMatchObject({ errcode: null, name, source: OWN_SOURCE })
  })

  it('keeps the last answer of a message that expired', () => {
    const last = { errcode: -1, errmsg: 'system error', rid: 'a-b-c' }
    expect(expiredReason(last)).toMatchObject({ name: 'expired', ...last })
  })

  it('keeps short and clean what BullMQ says, which other hands may have written', () => {
    const reason = failedElsewhereReason(`secret=abc ${'x'.repeat(1000)}`, false)
    expect(reason.errmsg).toHaveLength(300)
    expect(reason.errmsg).not.toContain('abc')
  })
})
