import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openFaults } from '../src/faults.ts'
import { type FakeWechat, type Fault, type FaultRule, startFakeWechat } from '../src/index.ts'
import { send, sendRaw, stableToken, text } from './client.ts'

const target = { endpoint: 'send' as const, appid: 'wx1', touser: 'oAnna', rawBody: '{"text":"red fish"}' }

describe('the choice of a fault', () => {
  const hitsOf = (seed: number): number[] => {
    const faults = openFaults(seed)
    faults.add({ rate: 0.1, fault: { name: 'errcode', errcode: -1 } })
    return Array.from({ length: 1000 }, (_, index) => (faults.choose(target).fault ? index : -1)).filter((i) => i >= 0)
  }

  it('hits the same requests again with the same seed, about as many as the rate says', () => {
    expect(hitsOf(7)).toEqual(hitsOf(7))
    expect(hitsOf(7)).not.toEqual(hitsOf(8))
    expect(hitsOf(7).length).toBeGreaterThan(60)
    expect(hitsOf(7).length).toBeLessThan(140)
  })

  it.each<[string, Partial<FaultRule>, boolean]>([
    ['the app', { appid: 'wx1' }, true],
    ['another app', { appid: 'wx2' }, false],
    ['the recipient', { touser: 'oAnna' }, true],
    ['another recipient', { touser: 'oBert' }, false],
    ['the content', { match: { contentIncludes: 'red' } }, true],
    ['other content', { match: { contentIncludes: 'blue' } }, false],
    ['the other endpoint', { endpoint: 'token' }, false],
  ])('looks at %s', (_case, rule, hit) => {
    const faults = openFaults(1)
    faults.add({ ...rule, fault: 'html502' })
    expect(faults.choose(target).fault !== undefined).toBe(hit)
  })

  it('ends a rule after its times, then plays the next', () => {
    const faults = openFaults(1)
    faults.add({ times: 2, fault: 'html502' })
    faults.add({ fault: 'http429' })
    expect([1, 2, 3].map(() => faults.choose(target).name)).toEqual(['html502', 'html502', 'http429'])
    expect(faults.list()).toMatchObject([{ hits: 1, fault: { name: 'http429' } }])
    faults.clear()
    expect(faults.choose(target)).toEqual({ latencyMs: 0 })
  })

  it('adds latency to another fault', () => {
    const faults = openFaults(1)
    faults.add({ fault: 'html502' })
    faults.add({ fault: { name: 'latency', minMs: 5, maxMs: 5 } })
    expect(faults.choose(target)).toMatchObject({ latencyMs: 5, name: 'html502' })
  })

  it.each<[string, unknown]>([
    ['an unknown name', { fault: 'meteor' }],
    ['a name that every object has', { fault: 'toString' }],
    ['no fault', {}],
    ['a rate above 1', { fault: 'hang', rate: 2 }],
    ['no times', { fault: 'hang', times: 0 }],
    ['an errcode that is no number', { fault: { name: 'errcode', errcode: 'x' } }],
    ['a latency without an end', { fault: { name: 'latency', minMs: 1 } }],
    ['another endpoint', { fault: 'hang', endpoint: 'upload' }],
    ['a page without a status', { fault: 'page' }],
    ['an unknown manner', { fault: { name: 'odd-answer', manner: 'rot13' } }],
    ['an age that is no number', { fault: { name: 'fresh-token-refused-for', ms: 'x' } }],
    ['a code for all that is none', { fault: { name: 'code-for-all' } }],
    ['no end', { fault: { name: 'late-45009' } }],
  ])('refuses a rule with %s', (_case, rule) => {
    expect(() => openFaults(1).add(rule as FaultRule)).toThrow(TypeError)
  })
})

let fake: FakeWechat
let token: string
beforeEach(async () => {
  fake = await startFakeWechat()
  token = (await stableToken(fake)).access_token ?? ''
})
afterEach(() => fake.close())
const play = async (fault: FaultRule['fault']) => {
  fake.control.addFault({ times: 1, fault })
  const response = await sendRaw(fake, token, text('oAnna'))
  return { response, body: await response.text() }
}

describe('a fault that spoils the answer', () => {
  it.each<[FaultRule['fault'], number, RegExp]>([
    ['html502', 502, /^<html>/],
    ['html200', 200, /^<html>/],
    ['http503', 503, /^<html>/],
    ['http429', 429, /^<html>/],
    ['not-json', 200, /^\{"errcode":0,"errm$/],
    ['no-errcode', 200, /^\{"errmsg":"ok"\}$/],
    [{ name: 'errcode', errcode: -1 }, 200, /^\{"errcode":-1,"errmsg":"system error/],
    [{ name: 'page', status: 412 }, 412, /^<html>[^]*412 Precondition Failed/],
    [{ name: 'page', status: 502 }, 502, /^<html>/],
    [{ name: 'code-for-all', errcode: 85113 }, 200, /^\{"errcode":85113,/],
    [{ name: 'errcode', errcode: 45009, errmsg: 'quota' }, 200, /^\{"errcode":45009,"errmsg":"quota"\}$/],
  ])('answers %o and takes nothing', async (fault, status, pattern) => {
    const { response, body } = await play(fault)
    expect(response.status).toBe(status)
    expect(body).toMatch(pattern)
    const name = typeof fault === 'string' ? fault : fault.name
    expect(fake.ledger.sends()).toMatchObject([{ fault: name, accepted: false }])
    expect((await send(fake, token, text('oAnna'))).errcode).toBe(0)
  })

  it.each<Fault>([
    { name: 'html502', accept: true },
    { name: 'errcode', errcode: -1, accept: true },
    { name: 'no-errcode', accept: true },
  ])('takes the message and spoils the answer of %o', async (fault) => {
    await play(fault)
    expect(fake.ledger.acceptedCount()).toBe(1)
  })

  it('says when to come again', async () => {
    const { response } = await play({ name: 'http503', retryAfterS: 7 })
    expect(response.headers.get('retry-after')).toBe('7')
  })

  it('answers with as many bytes as wanted', async () => {
    const { body } = await play({ name: 'big-answer', bytes: 300_000 })
    expect(body.length).toBeGreaterThan(300_000)
    expect(JSON.parse(body)).toMatchObject({ errcode: 0 })
    expect(fake.ledger.acceptedCount()).toBe(1)
  })
})

describe('a fault that only makes the answer hard to read', () => {
  it.each<[string, string]>([
    ['text-errcode', '{"errcode":"0",'],
    ['nul', '{"errcode":0,"errmsg":"ok"}\0\0'],
    ['control', '{"hint":"a\u0007b'],
    ['gzip', '\u001F'],
  ])('takes the message: %s', async (manner, start) => {
    const { body } = await play({ name: 'odd-answer', manner } as Fault)
    expect(body.startsWith(start)).toBe(true)
    expect(fake.ledger.sends()).toMatchObject([{ fault: 'odd-answer', accepted: true, errcode: 0 }])
  })
})

describe('a fault of tokens', () => {
  it('refuses one that is young, and takes the same later', async () => {
    let now = Date.now()
    const slow = await startFakeWechat({ now: () => now })
    onTestFinished(() => slow.close())
    const young = (await stableToken(slow)).access_token ?? ''
    slow.control.addFault({ fault: { name: 'fresh-token-refused-for', ms: 1500 } })
    now += 1499
    expect((await send(slow, young, text('oAnna'))).errcode).toBe(40001)
    now += 1
    expect((await send(slow, young, text('oAnna'))).errcode).toBe(0)
    expect(slow.ledger.summary().byFault).toEqual({ 'fresh-token-refused-for': 1 })
  })

  it('refuses a good one now and then', async () => {
    const faults = openFaults(1)
    faults.add({ fault: 'random-40001' })
    const hits = Array.from({ length: 1000 }, () => faults.choose(target).name).filter(Boolean).length
    expect(hits).toBeGreaterThan(25)
    expect(hits).toBeLessThan(75)
    expect(faults.list()).toMatchObject([{ hits, rate: 0.05 }])
    fake.control.addFault({ rate: 1, times: 1, fault: 'random-40001' })
    expect((await send(fake, token, text('oAnna'))).errcode).toBe(40001)
    expect((await send(fake, token, text('oAnna'))).errcode).toBe(0)
  })

  it('says 45009 at the token endpoint for its time', async () => {
    let now = Date.now()
    const busy = await startFakeWechat({ now: () => now })
    onTestFinished(() => busy.close())
    busy.control.addFault({ fault: { name: 'late-45009', forMs: 6000 } })
    expect((await stableToken(busy)).errcode).toBe(45009)
    now += 6000
    expect((await stableToken(busy)).access_token).toBeTruthy()
    expect(busy.ledger.summary()).toMatchObject({ byFault: { 'late-45009': 1 }, tokenCalls: { refused: 1 } })
    expect(busy.control.faults()).toMatchObject([{ endpoint: 'token', hits: 1 }])
  })
})

describe('a fault without an answer', () => {
  it.each([
    ['reset-before', false],
    ['accept-then-reset', true],
  ] as const)('resets the connection for %s', async (fault, accepted) => {
    fake.control.addFault({ times: 1, fault })
    await expect(sendRaw(fake, token, text('oAnna'))).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(fake.ledger.sends()).toMatchObject([{ fault, accepted, errcode: null }])
  })

  it.each([
    ['hang', false],
    ['accept-then-hang', true],
  ] as const)('answers nothing for %s until it is closed', async (fault, accepted) => {
    fake.control.addFault({ fault })
    const answer = sendRaw(fake, token, text('oAnna'))
    const outcome = vi.fn()
    answer.then(outcome, outcome)
    await vi.waitFor(() => expect(fake.ledger.sends()).toMatchObject([{ fault, accepted, errcode: null }]), 20_000)
    // Another request has come and gone in the meantime, so this one is not merely slow.
    expect((await stableToken(fake)).expires_in).toBeGreaterThan(0)
    expect(outcome).not.toHaveBeenCalled()
    await fake.close()
    await expect(answer).rejects.toThrow()
  })

  it('takes a delayed message at its arrival and closes without waiting for the delay', async () => {
    fake.control.addFault({ fault: { name: 'latency', minMs: 600_000, maxMs: 600_000 } })
    const answer = sendRaw(fake, token, text('oAnna')).catch((error: unknown) => error)
    await vi.waitFor(() => expect(fake.ledger.acceptedCount()).toBe(1), 20_000)
    expect(fake.ledger.sends()).toMatchObject([{ fault: 'latency', errcode: null }])
    await fake.close()
    await answer
  })
})

describe('a fault at a token endpoint', () => {
  it('loses the answer: the token exists, nobody knows it', async () => {
    fake.control.addFault({ endpoint: 'token', times: 1, fault: 'accept-then-reset' })
    await expect(stableToken(fake, { force_refresh: true })).rejects.toThrow()
    expect((await send(fake, token, text('oAnna'))).errcode).toBe(40001)
    expect(fake.ledger.tokenCalls().at(-1)).toMatchObject({ force: true, errcode: null, fault: 'accept-then-reset' })
    expect(fake.ledger.tokensIssued.size).toBe(2)
  })

  it('refuses tokens with an errcode', async () => {
    fake.control.addFault({ endpoint: 'token', fault: { name: 'errcode', errcode: 40164 } })
    expect((await stableToken(fake)).errcode).toBe(40164)
  })
})
