import { describe, expect, it } from 'vitest'
import {
  type ErrcodeAction,
  isTokenRefusal,
  OWN_REASONS,
  SEND_ERRCODES,
  sendErrcode,
  TOKEN_ERRCODES,
  tokenErrcode,
} from '../src/index.ts'

/** The facts, written down a second time and independently of the table: a slip in a line of the table shows here. */
const FACTS: Readonly<Record<ErrcodeAction, readonly number[]>> = {
  delivered: [0],
  retry: [-1, -1000],
  'refresh-token': [40001, 40014, 42001],
  'renew-media': [40007],
  suspend: [40164, 61004, 45035, 89503, 41001, 40013, 43002, 40234, 85105, 85107, 85112],
  'reply-window': [45015, 45047],
  wait: [85113],
  'throttle-minute': [45011],
  'throttle-day': [45009],
  dead: [
    ...[40002, 40003, 41009, 46004, 43004, 43005, 43019, 48002, 50005, 48008],
    ...[48001, 48004, 50001, 50002, 61003, 61007, 61014, 61015, 61016, 61017, 61023, 61024],
    ...[70000, 40113, 40137],
    ...[40004, 40005, 40006, 40009, 41005, 41006, 44001, 45001, 46001],
    ...[40008, 45162, 40033, 40035, 40066, 40097, 40101, 44002, 44003, 44004, 45002, 45003, 45004, 45005, 45006],
    ...[45008, 47001, 47003, 61451, 61452],
  ],
}

const ascending = (codes: readonly number[]) => codes.toSorted((a, b) => a - b)

describe('the table of codes that answer a send', () => {
  it.each(Object.entries(FACTS))('lists exactly the known codes whose action is %s', (action, codes) => {
    const listed = SEND_ERRCODES.filter((row) => row.action === action).map((row) => row.errcode)
    expect(ascending(listed)).toEqual(ascending(codes))
  })

  it('suspends the app after three answers in a row that say that an interface is not authorised', () => {
    const rows = SEND_ERRCODES.filter((row) => row.suspendAfterInARow !== undefined)
    const codes = [48001, 48004, 50001, 50002, 61003, 61007, 61014, 61015, 61016, 61017, 61023, 61024]
    expect(ascending(rows.map((row) => row.errcode))).toEqual(ascending(codes))
    expect(new Set(rows.map((row) => row.suspendAfterInARow))).toEqual(new Set([3]))
  })

  it.each([
    [45015, 'reply-window-closed'],
    [45047, 'reply-count-exhausted'],
    [40003, 'invalid-openid'],
    [40002, 'invalid-credential-kind'],
    [48001, 'api-unauthorized'],
  ])('calls %i by its stable name', (errcode, name) => {
    expect(sendErrcode(errcode)?.name).toBe(name)
  })

  it('does not know a code that is not listed', () => {
    expect(sendErrcode(99999)).toBeUndefined()
  })
})

describe('isTokenRefusal', () => {
  it.each(FACTS['refresh-token'])('takes %i for a refusal of the token', (errcode) => {
    expect(isTokenRefusal(errcode)).toBe(true)
  })

  it('takes no other code for one, be it about credentials or not listed at all', () => {
    const others = SEND_ERRCODES.map((row) => row.errcode).filter((code) => !FACTS['refresh-token'].includes(code))
    const ofTokenEndpoints = [40013, 40125, 41002, 41004]
    expect([...others, ...ofTokenEndpoints, 41001, 99999].filter(isTokenRefusal)).toEqual([])
  })
})

describe('the table of codes of the token endpoints', () => {
  it('suspends for the codes that say that credentials or settings are wrong, and throttles at a limit', () => {
    const codes = [40001, 40002, 40013, 40125, 40243, 41002, 41004, 43002, 40164, 61004, 45035, 89503]
    const suspending = TOKEN_ERRCODES.filter(({ action }) => action === 'suspend')
    expect(ascending(suspending.map((row) => row.errcode))).toEqual(ascending(codes))
    const others = TOKEN_ERRCODES.filter(({ action }) => action !== 'suspend')
    expect(others.map(({ errcode, action }) => [errcode, action])).toEqual([
      [45009, 'throttle-day'],
      [45011, 'throttle-minute'],
    ])
  })

  it('takes a busy endpoint for a passing fault', () => {
    expect(tokenErrcode(-1)).toBeUndefined()
  })
})

describe('every table', () => {
  const tables = { send: SEND_ERRCODES, token: TOKEN_ERRCODES }

  it.each(Object.entries(tables))('has each code and each name once: %s', (_table, rows) => {
    expect(new Set(rows.map((row) => row.errcode)).size).toBe(rows.length)
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length)
  })

  it.each([...SEND_ERRCODES, ...TOKEN_ERRCODES, ...OWN_REASONS])('explains $name in both languages', (row) => {
    expect(row.name).toMatch(/^[a-z]+(?:-[a-z]+)*$/u)
    expect(row.meaning.en).toMatch(/^[A-Z].*\.$/u)
    expect(row.meaning.zh).toMatch(/\p{Script=Han}.*。$/u)
  })

  it('gives no code the name of a reason of our own', () => {
    const own = new Set<string>(OWN_REASONS.map((row) => row.name))
    expect([...SEND_ERRCODES, ...TOKEN_ERRCODES].filter((row) => own.has(row.name))).toEqual([])
  })
})
