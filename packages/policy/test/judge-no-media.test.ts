import type { Outcome } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { attemptOf, judge, type Situation } from '../src/index.ts'
import { situation as usual } from './support/situation.ts'

const situation: Situation = { ...usual, ifUnsure: 'dead-letter' }
const gone: Outcome = { kind: 'no-media', detail: 'picture: HTTP 404', lasts: true }
const busy: Outcome = { kind: 'no-media', detail: 'picture: HTTP 503', lasts: false }
const decide = (outcome: Outcome, given: Partial<Situation> = {}) => judge(outcome, { ...situation, ...given }).decision
const reason = (errmsg: string) => ({ errcode: null, name: 'media-unavailable', errmsg })

describe('a picture that cannot be had', () => {
  it('is the end of its message where that lasts, with what was seen', () => {
    expect(decide(gone)).toMatchObject({ action: 'dead', reason: reason('picture: HTTP 404') })
  })

  it('costs a try where it passes, whatever ifUnsure says, and the last one is the end', () => {
    expect(decide(busy)).toEqual({ action: 'retry', delayMs: 500 })
    expect(decide(busy, { tries: 16 })).toMatchObject({ action: 'dead', reason: reason('picture: HTTP 503') })
    const { nowMs } = situation
    expect(decide(busy, { expiresAt: nowMs + 400 })).toMatchObject({ action: 'dead', reason: { name: 'expired' } })
  })

  it('is asked for no sooner than its server wants, an hour at most', () => {
    expect(decide({ ...busy, retryAfterMs: 7000.5 })).toEqual({ action: 'retry', delayMs: 7001 })
    expect(decide({ ...busy, retryAfterMs: 1e9 })).toEqual({ action: 'retry', delayMs: 3_600_000 })
  })

  it('says nothing about the app, and is told as what became of the message', () => {
    for (const outcome of [gone, busy]) expect(judge(outcome, situation).signal).toEqual({ kind: 'unknown' })
    const made = attemptOf(gone, decide(gone), { at: 1, ms: 2 })
    expect(made).toEqual({ at: 1, ms: 2, outcome: 'dead', errmsg: 'picture: HTTP 404' })
    expect(attemptOf(busy, decide(busy), { at: 1, ms: 2 })).toMatchObject({ outcome: 'retry' })
  })
})

describe('a media id that WeChat does not know', () => {
  const unknown: Outcome = { kind: 'answered', errcode: 40_007, errmsg: 'invalid media_id' }

  it('is renewed where it is the outbox’s own, and kills the message otherwise', () => {
    const renewed = decide(unknown, { canRenewMedia: true })
    expect(renewed).toEqual({ action: 'renew-media' })
    expect(attemptOf(unknown, renewed, { at: 1, ms: 2 })).toMatchObject({ outcome: 'media-renewed', errcode: 40_007 })
    expect(decide(unknown)).toMatchObject({ action: 'dead', reason: { errcode: 40_007, name: 'invalid-media-id' } })
    const late = { canRenewMedia: true, expiresAt: situation.nowMs }
    expect(decide(unknown, late)).toMatchObject({ action: 'dead', reason: { name: 'expired' } })
  })
})
