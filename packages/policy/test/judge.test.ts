import type { Outcome } from '@wechat-outbox/messages'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  APP_WAIT_MS,
  type Decision,
  judge,
  SEND_ERRCODES,
  type Situation,
  TOKEN_ERRCODES,
  TOKEN_REFRESHES_MAX,
  TOKEN_WAIT_MS,
} from '../src/index.ts'
import { situation } from './support/situation.ts'

const NOW_MS = situation.nowMs
const decide = (outcome: Outcome, given: Situation) => judge(outcome, given).decision
const answered = (errcode: number, errmsg = 'text') => ({ kind: 'answered', errcode, errmsg }) satisfies Outcome
const unsure: Outcome = { kind: 'unsure', detail: 'timeout while waiting for headers' }

describe('an answer of WeChat', () => {
  const rows = (action: string) => SEND_ERRCODES.filter((row) => row.action === action)

  it('is the end of the message when it says ok', () => {
    expect(decide(answered(0, 'ok'), situation)).toEqual({ action: 'delivered' })
  })

  it.each(rows('dead'))('kills the message with its reason: $errcode $name', ({ errcode, name, meaning, source }) => {
    const reason = { errcode, name, errmsg: 'text', meaning, source }
    expect(decide(answered(errcode), situation)).toEqual({ action: 'dead', reason })
  })

  it.each(rows('retry'))('is retried whatever ifUnsure says: $errcode', ({ errcode }) => {
    const decision = { action: 'retry', delayMs: 500 }
    expect(decide(answered(errcode), { ...situation, ifUnsure: 'dead-letter' })).toEqual(decision)
    expect(decide(answered(errcode), situation)).toEqual(decision)
  })

  it.each(rows('refresh-token'))(
    'refreshes the token three times, then holds the app: $errcode $name',
    ({ errcode, name }) => {
      for (const tokenRefreshes of [0, 1, 2]) {
        expect(decide(answered(errcode), { ...situation, tokenRefreshes })).toEqual({ action: 'refresh-token' })
      }
      expect(decide(answered(errcode), { ...situation, tokenRefreshes: 3 })).toMatchObject({
        action: 'wait',
        delayMs: APP_WAIT_MS,
        outcome: 'suspended',
        reason: { errcode, name },
      })
    },
  )

  it.each(rows('suspend'))('holds the app: $errcode $name', ({ errcode, name }) => {
    const wait = { action: 'wait', delayMs: APP_WAIT_MS, outcome: 'suspended', reason: { errcode, name } }
    expect(decide(answered(errcode), { ...situation, tries: 99 })).toMatchObject(wait)
  })

  it.each([...rows('throttle-minute'), ...rows('throttle-day')])('throttles the app: $errcode $name', (row) => {
    const wait = { action: 'wait', delayMs: APP_WAIT_MS, outcome: 'throttled', reason: { errcode: row.errcode } }
    expect(decide(answered(row.errcode), { ...situation, tries: 99 })).toMatchObject(wait)
  })

  it.each(rows('dead').filter((row) => row.suspendAfterInARow !== undefined))(
    'holds the app instead, and the message with it, once that is the app’s fault: $errcode $name',
    ({ errcode, name }) => {
      const wait = { action: 'wait', delayMs: APP_WAIT_MS, outcome: 'suspended', reason: { errcode, name } }
      expect(judge(answered(errcode), situation).ifHeld).toMatchObject(wait)
      expect(judge(answered(40003), situation).ifHeld).toMatchObject({ action: 'dead' })
    },
  )

  it.each(rows('wait'))('makes the message step back, and no try counts: $errcode $name', ({ errcode, name }) => {
    const wait = { action: 'wait', delayMs: 1000, outcome: 'suspended', reason: { errcode, name } }
    expect(decide(answered(errcode), { ...situation, tries: 99 })).toMatchObject(wait)
  })

  it('kills no message with a code in no table once the app is held for it', () => {
    const wait = { action: 'wait', delayMs: APP_WAIT_MS, outcome: 'suspended', reason: { name: 'unknown' } }
    expect(judge(answered(99_999), situation).ifHeld).toMatchObject(wait)
  })

  it('kills the message as unknown when the code is in no table, and keeps code, text and request id', () => {
    const decision = decide({ kind: 'answered', errcode: 99_999, errmsg: 'new', rid: '1-2-3' }, situation)
    expect(decision).toMatchObject({ reason: { errcode: 99_999, name: 'unknown', errmsg: 'new', rid: '1-2-3' } })
  })
})

describe('a missing token', () => {
  it('makes the message wait a moment when the fault is a passing one', () => {
    const wait = { action: 'wait', delayMs: TOKEN_WAIT_MS, outcome: 'token-unavailable' }
    const reason = { errcode: null, name: 'token-unavailable' }
    expect(decide({ kind: 'no-token', detail: 'x' }, situation)).toMatchObject({ ...wait, reason })
    const busy: Outcome = { kind: 'no-token', errcode: -1, detail: 'busy' }
    expect(decide(busy, situation)).toMatchObject({ ...wait, reason: { errcode: -1, name: 'token-unavailable' } })
  })

  it('makes the message wait until the endpoint is asked again, or another process may have one', () => {
    const at = (retryInMs: number) => decide({ kind: 'no-token', detail: 'x', retryInMs }, situation)
    expect(at(290.5)).toMatchObject({ action: 'wait', delayMs: 291, outcome: 'token-unavailable' })
    expect(at(0)).toMatchObject({ delayMs: 1 })
    expect(at(1e12)).toMatchObject({ delayMs: TOKEN_WAIT_MS })
  })

  it.each([45009, 45011])('throttles the app when the endpoint was asked too often: %i', (errcode) => {
    expect(decide({ kind: 'no-token', errcode, detail: 'x', retryInMs: 15_000 }, situation)).toMatchObject({
      action: 'wait',
      delayMs: APP_WAIT_MS,
      outcome: 'throttled',
      reason: { errcode },
    })
  })

  const suspending = TOKEN_ERRCODES.filter(({ action }) => action === 'suspend')
  it.each(suspending)('holds the app when the endpoint says $errcode $name', ({ errcode, name }) => {
    expect(decide({ kind: 'no-token', errcode, detail: 'x' }, situation)).toMatchObject({
      action: 'wait',
      delayMs: APP_WAIT_MS,
      outcome: 'suspended',
      reason: { errcode, name },
    })
  })
})

describe('the end of a message', () => {
  const last = { ...situation, tries: 16 }

  it('comes when its tries are used up, with the last answer and what that meant', () => {
    const decision = decide(answered(-1, 'system error'), last)
    expect(decision).toMatchObject({ reason: { errcode: -1, name: 'retries-exhausted', errmsg: 'system error' } })
    expect(decision).toMatchObject({ reason: { meaning: { en: expect.stringContaining('WeChat was busy') } } })
    expect(decide(unsure, last)).toMatchObject({
      reason: { errcode: null, name: 'retries-exhausted', errmsg: 'timeout while waiting for headers' },
    })
  })

  it('comes when the next try would be at expiresAt or later', () => {
    const at = (expiresAt: number) => decide(answered(-1, 'busy'), { ...situation, expiresAt })
    expect(at(NOW_MS + 501)).toEqual({ action: 'retry', delayMs: 500 })
    expect(at(NOW_MS + 500)).toMatchObject({ reason: { errcode: -1, name: 'expired', errmsg: 'busy' } })
  })

  it('cuts a wait short, and comes at once where expiresAt is past', () => {
    const at = (expiresAt: number) => decide(answered(45011), { ...situation, expiresAt })
    expect(at(NOW_MS + 9)).toMatchObject({ action: 'wait', delayMs: 9, reason: { errcode: 45011 } })
    expect(at(NOW_MS)).toMatchObject({ action: 'dead', reason: { errcode: 45011, name: 'expired' } })
  })

  it('comes instead of a send with a new token after expiresAt', () => {
    const decision = decide(answered(40001), { ...situation, expiresAt: NOW_MS })
    expect(decision).toMatchObject({ action: 'dead', reason: { errcode: 40001, name: 'expired' } })
  })
})

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    kind: fc.constant('answered' as const),
    errcode: fc.oneof(fc.constantFrom(...SEND_ERRCODES.map((row) => row.errcode)), fc.integer()),
    errmsg: fc.string({ maxLength: 300 }),
  }),
  fc.record({ kind: fc.constantFrom('not-sent' as const, 'unsure' as const), detail: fc.string() }),
  fc.record({ kind: fc.constant('unsure' as const), detail: fc.string(), status: fc.constantFrom(200, 404, 502, 504) }),
  fc.record({
    kind: fc.constant('refused' as const),
    status: fc.constantFrom(403, 412, 429, 503),
    retryAfterMs: fc.double({ min: 0, noNaN: true }),
  }),
  fc.record({
    kind: fc.constant('no-token' as const),
    errcode: fc.oneof(fc.constantFrom(...TOKEN_ERRCODES.map((row) => row.errcode)), fc.integer()),
    detail: fc.string(),
    retryInMs: fc.double({ noNaN: true }),
  }),
)
const situations: fc.Arbitrary<Situation> = fc.record({
  nowMs: fc.constant(NOW_MS),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  tries: fc.integer({ min: 1, max: 20 }),
  triesMax: fc.integer({ min: 1, max: 20 }),
  backoffMs: fc.integer({ min: 0, max: 1e9 }),
  backoffMsMax: fc.integer({ min: 1, max: 1e9 }),
  expiresAt: fc.option(fc.integer({ min: NOW_MS - 1e7, max: NOW_MS + 1e7 }), { nil: undefined }),
  ifUnsure: fc.constantFrom('resend' as const, 'dead-letter' as const),
  onClosed: fc.constantFrom('hold' as const, 'dead-letter' as const),
  tokenRefreshes: fc.nat({ max: 5 }),
  probeEveryMs: fc.integer({ min: 100, max: 3_600_000 }),
})

function always(holds: (decision: Decision, given: Situation, outcome: Outcome) => void): void {
  const property = fc.property(outcomes, situations, (outcome, given) => {
    const { decision, ifHeld } = judge(outcome, given)
    holds(decision, given, outcome)
    holds(ifHeld, given, outcome)
  })
  fc.assert(property, { numRuns: 2000 })
}

describe('whatever comes back and whatever the situation is', () => {
  it('a retry is never one too many, never after expiresAt, and never without a bounded pause', () => {
    always((decision, given) => {
      if (decision.action !== 'retry') return
      expect(given.tries).toBeLessThan(given.triesMax)
      expect(NOW_MS + decision.delayMs).toBeLessThan(given.expiresAt ?? Number.POSITIVE_INFINITY)
      expect(Number.isSafeInteger(decision.delayMs)).toBe(true)
      expect(decision.delayMs).toBeGreaterThanOrEqual(1)
      expect(decision.delayMs).toBeLessThanOrEqual(given.backoffMsMax)
    })
  })

  it('a wait is short and ends by expiresAt', () => {
    always((decision, given) => {
      if (decision.action !== 'wait') return
      expect(decision.delayMs).toBeGreaterThanOrEqual(1)
      expect(decision.delayMs).toBeLessThanOrEqual(Math.max(APP_WAIT_MS, TOKEN_WAIT_MS, given.backoffMsMax))
      expect(NOW_MS + decision.delayMs).toBeLessThanOrEqual(given.expiresAt ?? Number.POSITIVE_INFINITY)
    })
  })

  it('the tries that were made change no wait', () => {
    fc.assert(
      fc.property(outcomes, situations, (outcome, given) => {
        const [now, later] = [judge(outcome, given), judge(outcome, { ...given, tries: given.tries + 1000 })]
        if (now.decision.action === 'wait') expect(later.decision).toEqual(now.decision)
        if (now.ifHeld.action === 'wait') expect(later.ifHeld).toEqual(now.ifHeld)
      }),
      { numRuns: 2000 },
    )
  })

  it('nothing but an ok delivers, and an ok always does', () => {
    always((decision, _given, outcome) => {
      expect(decision.action === 'delivered').toBe(outcome.kind === 'answered' && outcome.errcode === 0)
    })
  })

  it('a token is refreshed at most three times within a run', () => {
    always((decision, given) => {
      if (decision.action === 'refresh-token') expect(given.tokenRefreshes).toBeLessThan(TOKEN_REFRESHES_MAX)
    })
  })

  it('a hold changes only a death or a retry, into a wait that the signal explains', () => {
    fc.assert(
      fc.property(outcomes, situations, (outcome, given) => {
        const { decision, ifHeld, signal } = judge(outcome, given)
        if (ifHeld === decision) return
        if (signal.kind !== 'fault') throw new Error(`held for ${signal.kind}`)
        expect(signal).toHaveProperty('inARow')
        expect(['dead', 'retry']).toContain(decision.action)
        if (ifHeld.action === 'wait') expect(ifHeld.reason).toEqual(signal.reason)
        else expect(ifHeld).toMatchObject({ action: 'dead', reason: { name: 'expired' } })
      }),
      { numRuns: 2000 },
    )
  })

  it('a reason has a name, both meanings and a short text', () => {
    always((decision) => {
      if (decision.action !== 'dead' && decision.action !== 'wait') return
      const { name, errmsg, meaning } = decision.reason
      expect(Math.min(name.length, meaning.en.length, meaning.zh.length)).toBeGreaterThan(0)
      expect(errmsg.length).toBeLessThanOrEqual(300)
    })
  })
})
