import type { Outcome } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { judge, type Situation } from '../src/index.ts'
import { situation } from './support/situation.ts'

const decide = (outcome: Outcome, given: Situation) => judge(outcome, given).decision
const unsure: Outcome = { kind: 'unsure', detail: 'timeout while waiting for headers' }
const notSent: Outcome = { kind: 'not-sent', detail: 'connect ECONNREFUSED' }

describe('a call without an answer', () => {
  it.each([
    ['was never written', notSent, 'not-sent', 'unreachable'],
    ['was turned away', { kind: 'refused', status: 503, retryAfterMs: 7000 }, 'refused', 'refused'],
  ] as const)('steps back about the first backoff when it %s, and no try counts', (_what, outcome, named, name) => {
    const last: Situation = { ...situation, tries: 99, ifUnsure: 'dead-letter' }
    const wait = { action: 'wait', outcome: named, reason: { errcode: null, name } }
    expect(decide(outcome, last)).toMatchObject({ ...wait, delayMs: 1000 })
    expect(decide(outcome, { ...last, random: 0 })).toMatchObject({ ...wait, delayMs: 500 })
    expect(decide(outcome, { ...last, backoffMsMax: 20 })).toMatchObject({ ...wait, delayMs: 20 })
  })

  it('is left to ifUnsure when it was written', () => {
    expect(decide(unsure, situation)).toEqual({ action: 'retry', delayMs: 500 })
    expect(decide(unsure, { ...situation, ifUnsure: 'dead-letter' })).toMatchObject({
      action: 'dead',
      reason: { errcode: null, name: 'unsure', errmsg: 'timeout while waiting for headers' },
    })
  })
})

describe('a page instead of an answer', () => {
  const page: Outcome = { kind: 'unsure', detail: 'HTTP 502', status: 502 }

  it('costs a try, and none once the app is held for it', () => {
    expect(decide(page, situation)).toEqual(decide(unsure, situation))
    const last = judge(page, { ...situation, tries: 16 })
    expect(last.decision).toMatchObject({ action: 'dead', reason: { name: 'retries-exhausted' } })
    expect(last.ifHeld).toMatchObject({ action: 'wait', outcome: 'suspended', reason: { name: 'not-wechat' } })
  })

  it('is left to ifUnsure dead-letter, held or not: the message may have arrived', () => {
    const { decision, ifHeld } = judge(page, { ...situation, ifUnsure: 'dead-letter' })
    expect(decision).toMatchObject({ action: 'dead', reason: { name: 'unsure', errmsg: 'HTTP 502' } })
    expect(ifHeld).toEqual(decision)
  })
})
