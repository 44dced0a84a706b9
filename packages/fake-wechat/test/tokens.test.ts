import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeWechat, SANDBOX_APP_ID, startFakeWechat } from '../src/index.ts'
import { classicToken, credentials, send, stableToken, text } from './client.ts'

const START = Date.parse('2026-03-01T04:00:00Z')
let nowMs = START
let fake: FakeWechat
const tryToken = async (token: string | undefined) => (await send(fake, token ?? '', text('oAnna'))).errcode

beforeEach(async () => {
  nowMs = START
  fake = await startFakeWechat({ now: () => nowMs })
})
afterEach(() => fake.close())

describe('the classic token endpoint', () => {
  it('gives a new token at each call and kills the one before', async () => {
    const first = await classicToken(fake)
    expect(await tryToken(first.access_token)).toBe(0)
    const second = await classicToken(fake)
    expect(second.access_token).not.toBe(first.access_token)
    expect(await tryToken(first.access_token)).toBe(40001)
    expect(await tryToken(second.access_token)).toBe(0)
  })

  it('keeps a replaced token alive for as long as it is told', async () => {
    fake.control.setTokens({ classicGraceS: 300 })
    const first = await classicToken(fake)
    await classicToken(fake)
    nowMs += 299_000
    expect(await tryToken(first.access_token)).toBe(0)
    nowMs += 1000
    expect(await tryToken(first.access_token)).toBe(40001)
  })

  it('gives tokens of 136 to 512 characters that last two hours and remembers them all', async () => {
    for (let i = 0; i < 50; i += 1) {
      const { access_token: token = '', expires_in: expiresInS } = await classicToken(fake)
      expect(token).toMatch(/^[\w-]{136,512}$/)
      expect(expiresInS).toBe(7200)
      expect(fake.ledger.tokensIssued.has(token)).toBe(true)
    }
    expect(fake.ledger.tokensIssued.size).toBe(50)
  })

  it.each([
    ['grant_type is another', { ...credentials, grant_type: 'password' }, 40002],
    ['the appid is missing', { grant_type: 'client_credential', secret: 's' }, 41002],
    ['the secret is missing', { grant_type: 'client_credential', appid: SANDBOX_APP_ID }, 41004],
    ['the appid has a wrong form', { ...credentials, appid: 'nonsense' }, 40013],
    ['the appid is unknown', { ...credentials, appid: 'wx0000000000000000' }, 40013],
    ['the secret is wrong', { ...credentials, secret: 'wrong' }, 40125],
  ])('refuses when %s', async (_case, query, errcode) => {
    expect((await classicToken(fake, query)).errcode).toBe(errcode)
    expect(fake.ledger.tokenCalls()).toMatchObject([{ kind: 'classic', errcode }])
    expect(fake.ledger.tokensIssued.size).toBe(0)
  })
})

describe('the stable token endpoint', () => {
  it('repeats its token with what is left of its time', async () => {
    const first = await stableToken(fake)
    nowMs += 1_000_000
    expect(await stableToken(fake)).toEqual({ access_token: first.access_token, expires_in: 6200 })
  })

  it('gives a new token in the last five minutes while the old one goes on until its end', async () => {
    const first = await stableToken(fake)
    nowMs += 6_899_000
    expect((await stableToken(fake)).access_token).toBe(first.access_token)
    nowMs += 1000
    const second = await stableToken(fake)
    expect(second).toMatchObject({ expires_in: 7200 })
    expect(second.access_token).not.toBe(first.access_token)
    expect(await tryToken(first.access_token)).toBe(0)
    nowMs += 300_000
    expect(await tryToken(first.access_token)).toBe(42001)
  })

  it('kills the old token when a refresh is forced, at most once in 30 seconds', async () => {
    const first = await stableToken(fake)
    const second = await stableToken(fake, { force_refresh: true })
    expect(await tryToken(first.access_token)).toBe(40001)
    nowMs += 29_999
    expect((await stableToken(fake, { force_refresh: true })).access_token).toBe(second.access_token)
    nowMs += 1
    expect((await stableToken(fake, { force_refresh: true })).access_token).not.toBe(second.access_token)
    expect(fake.ledger.summary().tokenCalls).toEqual({ classic: 0, stable: 4, forced: 3, refused: 0 })
  })

  it('ignores forced refreshes beyond the budget of the day in China', async () => {
    fake.control.setTokens({ forcePerDay: 2, forceMinIntervalS: 0 })
    const force = async () => (await stableToken(fake, { force_refresh: true })).access_token
    await force()
    const tokens = [await force(), await force(), await force()]
    expect(new Set(tokens).size).toBe(2)
    nowMs = Date.parse('2026-03-01T16:00:00Z')
    expect(tokens).not.toContain(await force())
  })
})

describe('the stable token', () => {
  it('knows nothing of the classic endpoint: each leaves the other one its token', async () => {
    const stable = await stableToken(fake)
    const classic = await classicToken(fake)
    await stableToken(fake, { force_refresh: true })
    expect(await tryToken(classic.access_token)).toBe(0)
    const stableAgain = await stableToken(fake)
    await classicToken(fake)
    expect(await tryToken(stableAgain.access_token)).toBe(0)
    expect(await tryToken(stable.access_token)).toBe(40001)
  })

  it('repeats a dead token until forced when it is told so, and otherwise replaces it', async () => {
    const first = await stableToken(fake)
    fake.control.invalidateTokens({ appid: SANDBOX_APP_ID, repeatDead: true })
    expect(await tryToken(first.access_token)).toBe(40001)
    expect((await stableToken(fake)).access_token).toBe(first.access_token)
    const forced = await stableToken(fake, { force_refresh: true })
    expect(await tryToken(forced.access_token)).toBe(0)
    fake.control.invalidateTokens()
    expect(await tryToken(forced.access_token)).toBe(40001)
    expect(await tryToken((await stableToken(fake)).access_token)).toBe(0)
  })

  it('renews a short-lived token without handing out an expired one', async () => {
    fake.control.setTokens({ expiresInS: 2 })
    const first = await stableToken(fake)
    expect((await stableToken(fake)).access_token).toBe(first.access_token)
    nowMs += 2000
    expect(await tryToken(first.access_token)).toBe(42001)
    expect(await tryToken((await stableToken(fake)).access_token)).toBe(0)
  })

  it('refuses a body that is not JSON with 47001', async () => {
    const response = await fetch(`${fake.url}/cgi-bin/stable_token`, { method: 'POST', body: 'appid=1' })
    expect(await response.json()).toMatchObject({ errcode: 47001 })
  })
})

it('accepts another secret for an app once it is told', async () => {
  fake.control.setApp({ appid: SANDBOX_APP_ID, secret: 'rotated' })
  expect((await stableToken(fake)).errcode).toBe(40125)
  expect((await stableToken(fake, { secret: 'rotated' })).expires_in).toBe(7200)
})
