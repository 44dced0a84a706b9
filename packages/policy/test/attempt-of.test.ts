import type { Outcome } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { attemptOf, type Decision, expiredReason, unsureReason } from '../src/index.ts'

const timing = { at: 1_700_000_000_000, ms: 42 }
const dead: Decision = { action: 'dead', reason: expiredReason() }
const retry: Decision = { action: 'retry', delayMs: 1 }
const waiting = (outcome: 'suspended' | 'throttled' | 'token-unavailable') =>
  ({ action: 'wait', delayMs: 1, outcome, reason: expiredReason() }) satisfies Decision
const answer: Outcome = { kind: 'answered', errcode: -1, errmsg: 'busy', rid: 'a-b-c' }

describe('attemptOf', () => {
  it.each([
    [{ action: 'delivered' }, 'delivered'],
    [retry, 'retry'],
    [dead, 'dead'],
    [{ action: 'refresh-token' }, 'token-refreshed'],
    [waiting('suspended'), 'suspended'],
    [waiting('throttled'), 'throttled'],
  ] satisfies [Decision, string][])('names an answered call by its judgement: %o', (decision, outcome) => {
    const entry = { ...timing, outcome, errcode: -1, errmsg: 'busy', rid: 'a-b-c' }
    expect(attemptOf(answer, decision, timing)).toEqual(entry)
  })

  it.each([
    [{ kind: 'not-sent', detail: 'connect ECONNREFUSED' }, 'not-sent', 'connect ECONNREFUSED'],
    [{ kind: 'refused', status: 503 }, 'refused', 'HTTP 503'],
    [{ kind: 'unsure', detail: 'HTTP 502' }, 'unsure', 'HTTP 502'],
  ] satisfies [Outcome, string, string][])(
    'names any other call by what happened to it: %o',
    (outcome, word, errmsg) => {
      expect(attemptOf(outcome, retry, timing)).toEqual({ ...timing, outcome: word, errmsg })
      expect(attemptOf(outcome, dead, timing)).toEqual({ ...timing, outcome: word, errmsg })
    },
  )

  it('says that there was no token, with the code of the token endpoint', () => {
    const noToken: Outcome = { kind: 'no-token', errcode: 40125, detail: 'invalid appsecret' }
    const entry = { ...timing, outcome: 'suspended', errcode: 40125, errmsg: 'invalid appsecret' }
    expect(attemptOf(noToken, waiting('suspended'), timing)).toEqual(entry)
    expect(attemptOf(noToken, dead, timing).outcome).toBe('token-unavailable')
  })

  it('leaves out an empty text', () => {
    expect(attemptOf({ ...answer, errmsg: '' }, retry, timing)).not.toHaveProperty('errmsg')
  })
})

describe('the unsure reason', () => {
  it('says how the call ended', () => {
    expect(unsureReason()).toMatchObject({ errcode: null, name: 'unsure', errmsg: expect.stringContaining('worker') })
  })
})
