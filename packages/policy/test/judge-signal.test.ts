/** What a call says about its app: the other half of the judgement. */
import type { AppFault, Outcome } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { judge, RETRY_AFTER_MS_MAX, SEND_ERRCODES, type Situation, TOKEN_ERRCODES } from '../src/index.ts'
import { situation } from './support/situation.ts'

const signalOf = (outcome: Outcome, given: Partial<Situation> = {}) => judge(outcome, { ...situation, ...given }).signal
const answered = (errcode: number): Outcome => ({ kind: 'answered', errcode, errmsg: 'text' })
const rows = (action: string) => SEND_ERRCODES.filter((row) => row.action === action)
const unexplained = (people: number) => ({ group: 'unexplained', max: 5, people }) as const
const suspends = (cause: string, given: Partial<AppFault> = {}) => ({
  kind: 'fault',
  hold: 'suspended',
  cause,
  holdMs: 15_000,
  everyMs: 60_000,
  ...given,
})

describe('an answer of WeChat', () => {
  it('says that the app may send when the message went or had a fault of its own', () => {
    expect(signalOf(answered(0))).toEqual({ kind: 'delivered' })
    for (const { errcode } of rows('dead').filter((row) => row.suspendAfterInARow === undefined)) {
      expect(signalOf(answered(errcode)), `${errcode}`).toEqual({ kind: 'healthy' })
    }
  })

  it('says only that the connection works when WeChat is busy, or the token may be the fault', () => {
    for (const errcode of [...rows('retry'), ...rows('refresh-token')].map((row) => row.errcode)) {
      expect(signalOf(answered(errcode)), `${errcode}`).toEqual({ kind: 'reached' })
    }
  })

  it('may say that the app is at fault when nobody knows the code, or it asks all to come later', () => {
    expect(signalOf(answered(99_999))).toMatchObject(suspends('send', { inARow: unexplained(2) }))
    expect(signalOf(answered(99_999))).toMatchObject({ reason: { errcode: 99_999, name: 'unknown' } })
    expect(signalOf(answered(85113))).toMatchObject(suspends('send', { inARow: unexplained(1) }))
  })

  it.each(rows('suspend'))('suspends the app: $errcode $name', ({ errcode, name }) => {
    const signal = signalOf(answered(errcode))
    expect(signal).toMatchObject(suspends('send'))
    expect(signal).toMatchObject({ reason: { errcode, name } })
    expect(signal).not.toHaveProperty('inARow')
  })

  it.each(rows('dead').filter((row) => row.suspendAfterInARow !== undefined))(
    'suspends the app when it comes again and again: $errcode $name',
    ({ errcode, suspendAfterInARow: max }) => {
      expect(signalOf(answered(errcode))).toMatchObject(
        suspends('send', { inARow: { group: 'unauthorized', max: max ?? 0 } }),
      )
    },
  )

  it.each(rows('refresh-token'))(
    'suspends the app when one fresh token after the other is refused: $errcode',
    ({ errcode }) => {
      const eachMinute = suspends('send', { holdMs: 60_000, everyMs: 60_000 })
      expect(signalOf(answered(errcode), { tokenRefreshes: 2 })).toEqual({ kind: 'reached' })
      expect(signalOf(answered(errcode), { tokenRefreshes: 3 })).toMatchObject(eachMinute)
      // However often others are probed: each of these probes costs several tokens.
      expect(signalOf(answered(errcode), { tokenRefreshes: 3, probeEveryMs: 100 })).toMatchObject(eachMinute)
    },
  )

  it('throttles the app: a minute where that was used up, and where a day was as for any other fault', () => {
    const throttled = { kind: 'fault', hold: 'throttled', cause: 'quota' }
    expect(signalOf(answered(45011))).toMatchObject({ ...throttled, holdMs: 60_000 })
    expect(signalOf(answered(45011), { probeEveryMs: 100 })).toMatchObject({ holdMs: 60_000, everyMs: 60_000 })
    expect(signalOf(answered(45009))).toMatchObject({ ...throttled, holdMs: 15_000, everyMs: 60_000 })
    expect(signalOf(answered(45009), { probeEveryMs: 100 })).toMatchObject({ holdMs: 100, everyMs: 100 })
  })
})

describe('a call that did not reach WeChat', () => {
  it('is the connection’s fault when five in a row did not', () => {
    const inARow = unexplained(1)
    const notSent: Outcome = { kind: 'not-sent', detail: 'connect ECONNREFUSED' }
    expect(signalOf(notSent)).toMatchObject(suspends('road', { inARow }))
    expect(signalOf(notSent)).toMatchObject({ reason: { name: 'unreachable', errmsg: 'connect ECONNREFUSED' } })
    for (const retryAfterMs of [{}, { retryAfterMs: 0 }]) {
      expect(signalOf({ kind: 'refused', status: 503, ...retryAfterMs })).toMatchObject(suspends('road', { inARow }))
    }
  })

  it('holds the app as long as it was asked to, an hour at most', () => {
    const asked = (retryAfterMs: number) => signalOf({ kind: 'refused', status: 429, retryAfterMs })
    const throttled = {
      kind: 'fault',
      hold: 'throttled',
      cause: 'asked',
      reason: { name: 'refused', errmsg: 'HTTP 429' },
    }
    expect(asked(7000)).toMatchObject({ ...throttled, holdMs: 7000 })
    expect(asked(1e15)).toMatchObject({ ...throttled, holdMs: RETRY_AFTER_MS_MAX })
    expect(asked(7000)).not.toHaveProperty('inARow')
  })

  it.each([403, 407, 411, 412])('is refused by a page for two people, for one may be filtered: %i', (status) => {
    const signal = signalOf({ kind: 'refused', status })
    expect(signal).toMatchObject(suspends('road', { inARow: unexplained(2) }))
    expect(signal).toMatchObject({ reason: { name: 'refused', errmsg: `HTTP ${status}` } })
  })

  it.each(['resend', 'dead-letter'] as const)(
    'is the connection’s fault where pages are all that comes: %s',
    (ifUnsure) => {
      const signal = signalOf({ kind: 'unsure', detail: 'HTTP 502', status: 502 }, { ifUnsure })
      expect(signal).toMatchObject(suspends('road', { inARow: unexplained(2) }))
      expect(signal).toMatchObject({ reason: { name: 'not-wechat', errmsg: 'HTTP 502' } })
    },
  )

  it('says nothing when nobody knows how far it came', () => {
    expect(signalOf({ kind: 'unsure', detail: 'timeout while waiting for headers' })).toEqual({ kind: 'unknown' })
  })
})

describe('a missing token', () => {
  const ofToken = (...actions: string[]) => TOKEN_ERRCODES.filter(({ action }) => actions.includes(action))

  it.each(ofToken('suspend'))('suspends the app when the endpoint says $errcode $name', ({ errcode, name }) => {
    const signal = signalOf({ kind: 'no-token', errcode, detail: 'x' })
    expect(signal).toMatchObject(suspends('token'))
    expect(signal).toMatchObject({ reason: { errcode, name } })
  })

  it.each(ofToken('throttle-minute', 'throttle-day'))('throttles the app: $errcode $name', ({ errcode }) => {
    const holdMs = errcode === 45011 ? 60_000 : 15_000
    expect(signalOf({ kind: 'no-token', errcode, detail: 'x' })).toMatchObject({
      hold: 'throttled',
      cause: 'token',
      holdMs,
    })
  })

  it('suspends the app until the endpoint is asked again, when that is known', () => {
    expect(signalOf({ kind: 'no-token', detail: 'x', retryInMs: 29_000.5 })).toMatchObject({ holdMs: 29_001 })
    expect(signalOf({ kind: 'no-token', detail: 'x', retryInMs: 1e9 })).toMatchObject({ holdMs: 60_000 })
    // Probed as often as a pause has happened to be left, it would be probed in a loop.
    expect(signalOf({ kind: 'no-token', detail: 'x', retryInMs: 3 })).toMatchObject({ holdMs: 15_000 })
  })

  it('suspends the app for seconds when run after run finds none for a passing reason', () => {
    const inARow = { group: 'token', max: 5 } as const
    for (const errcode of [{}, { errcode: -1 }]) {
      expect(signalOf({ kind: 'no-token', detail: 'x', ...errcode })).toMatchObject(
        suspends('token', { holdMs: 15_000, inARow }),
      )
    }
  })
})
