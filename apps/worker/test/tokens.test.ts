import { SANDBOX_APP_ID } from '@wechat-outbox/fake-wechat'
import { createTokenStore } from '@wechat-outbox/outbox/engine'
import { describe, expect, it, vi } from 'vitest'
import type { Tokens } from '../src/tokens.ts'
import {
  aMinuteLater,
  calls,
  fake,
  forced,
  lines,
  plain,
  processes,
  replace,
  sends,
  serve,
  store,
  tokenKey,
  tokenOf,
  tokens,
  useTokenWorld,
  values,
} from './support/token-world.ts'

useTokenWorld()

describe('the first token', () => {
  it('is fetched once, works, and is then the process’s own', async () => {
    const mine = tokens()
    const token = tokenOf(await mine.current())
    expect(token).toMatchObject({ parameter: 'access_token', version: 1 })
    expect(await sends(token)).toBe(0)
    expect(tokenOf(await mine.current())).toEqual(token)
    expect(calls()).toEqual([plain])
  })

  it('is fetched once for 50 who ask at once in four processes', async () => {
    const all = processes(4)
    const results = await Promise.all(Array.from({ length: 50 }, (_, n) => (all[n % 4] ?? tokens()).current()))
    expect(values(results).size).toBe(1)
    expect(calls()).toEqual([plain])
  })

  it('is fetched from the classic endpoint where that is configured', async () => {
    expect(await sends(tokenOf(await tokens({ kind: 'classic' }).current()))).toBe(0)
    expect(calls()).toEqual([{ force: false, kind: 'classic' }])
  })

  it('is found in Redis by a process that starts later', async () => {
    const token = tokenOf(await tokens().current())
    expect(tokenOf(await tokens().current())).toEqual(token)
    expect(calls()).toHaveLength(1)
  })

  it('is fetched again once the shared one has ended', async () => {
    const first = tokenOf(await tokens().current())
    await store.redis.hset(tokenKey, 'expiresAt', String(Date.now() - 1))
    fake.control.invalidateTokens()
    const second = tokenOf(await tokens().current())
    expect(second.version).toBe(first.version + 1)
    expect(await sends(second)).toBe(0)
  })
})

describe('a token that WeChat refuses', () => {
  it('is replaced with one call, whoever and however many ask', async () => {
    const all = processes(4)
    const results = await Promise.all(all.map((one) => one.current()))
    const [bad] = results.map(tokenOf)
    if (bad === undefined) throw new Error('no token')
    fake.control.invalidateTokens()
    expect(await sends(bad)).toBe(40001)
    const replaced = await Promise.all(Array.from({ length: 40 }, (_, n) => replace(all[n % 4] ?? tokens(), bad)))
    expect(values(replaced).size).toBe(1)
    for (const result of replaced.slice(0, 1)) expect(await sends(tokenOf(result))).toBe(0)
    expect(calls()).toEqual([plain, plain])
    const now = await Promise.all(all.map((one) => one.current()))
    expect(values(now)).toEqual(values(replaced))
    expect(calls()).toHaveLength(2)
  })

  it('is not asked for again when this process has a newer one already', async () => {
    const mine = tokens()
    const bad = tokenOf(await mine.current())
    fake.control.invalidateTokens()
    const good = tokenOf(await replace(mine, bad))
    expect(tokenOf(await replace(mine, bad))).toEqual(good)
    expect(calls()).toHaveLength(2)
  })

  it('once, although it is good, is asked about once and used again at once; other refusals in that minute cost nothing', async () => {
    const [mine, other] = [tokens(), tokens()]
    const token = tokenOf(await mine.current())
    await other.current()
    for (let n = 0; n < 5; n += 1) {
      for (const one of [mine, other]) {
        expect(await replace(one, token)).toEqual({ kind: 'token', token, fresh: false })
        expect(tokenOf(await one.current())).toEqual(token)
      }
    }
    expect(calls()).toEqual([plain, plain])
  })

  it('to one call while another was taken with it is not even asked about', async () => {
    const mine = tokens()
    const token = tokenOf(await mine.current())
    const startedAt = performance.now() - 1
    mine.prove(token)
    expect(await mine.replace(token, { startedAt, inARow: 1 })).toEqual({ kind: 'token', token, fresh: false })
    expect(calls()).toEqual([plain])
  })

  it('while it is young is the same again after a pause, and asked about once', async () => {
    const mine = tokens()
    const token = tokenOf(await mine.current())
    const began = performance.now()
    for (let inARow = 1; inARow <= 4; inARow += 1) {
      const refused = { startedAt: performance.now(), inARow }
      expect(await mine.replace(token, refused)).toEqual({ kind: 'token', token, fresh: false })
      await mine.current()
    }
    expect(performance.now() - began).toBeGreaterThan(500)
    expect(calls()).toEqual([plain, plain])
  })

  it('is not too young once another process has sent with it', async () => {
    const [mine, other] = [tokens(), tokens()]
    const token = tokenOf(await mine.current())
    await other.current()
    mine.prove(token)
    await vi.waitFor(async () => expect(await store.redis.hget(tokenKey, 'accepted')).toBe('1'), 5000)
    fake.control.invalidateTokens()
    const replaced = await other.replace(token, { startedAt: performance.now(), inARow: 1 })
    expect(tokenOf(replaced).value).not.toBe(token.value)
  })

  it('while it is young is not asked about at the classic endpoint, which would end it', async () => {
    const mine = tokens({ kind: 'classic' })
    const token = tokenOf(await mine.current())
    for (let inARow = 1; inARow <= 3; inARow += 1) {
      const refused = { startedAt: performance.now(), inARow }
      expect(await mine.replace(token, refused)).toEqual({ kind: 'token', token, fresh: false })
      await mine.current()
    }
    mine.prove(token)
    expect(await replace(mine, token)).toEqual({ kind: 'token', token, fresh: false })
    expect(calls()).toHaveLength(1)
    expect(tokenOf(await replace(mine, token, 3)).value).not.toBe(token.value)
  })

  it('and that its source repeats is used again after pauses that grow and that all processes keep, then not for a minute', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    fake.control.invalidateTokens({ repeatDead: true })
    const pauses: number[] = []
    let refused = await replace(mine, bad)
    for (let n = 0; n < 4; n += 1) {
      expect(refused).toEqual({ kind: 'token', token: bad, fresh: false })
      // The next call begins later than this, and not within the same millisecond.
      await store.redis.hset(tokenKey, { pausedUntil: '1', repeatedAt: String(Date.now() - 1000) })
      refused = await replace(mine, bad, 3)
      const { pauseMs = 0 } = (await createTokenStore(store, SANDBOX_APP_ID).read()) ?? {}
      pauses.push(Math.ceil(pauseMs / 1000))
    }
    await store.redis.hset(tokenKey, { pausedUntil: '1', repeatedAt: String(Date.now() - 1000) })
    expect(pauses).toEqual([1, 2, 4, 8])
    expect(await replace(other, bad, 3)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
    // At first, at the first two refusals and after the last: whoever is refused in between asks nobody.
    expect(calls()).toEqual(Array.from({ length: 4 }, () => plain))
    for (let n = 0; n < 20; n += 1) expect(await tokens().current()).toMatchObject({ kind: 'no-token' })
    expect(calls()).toHaveLength(4)
  })

  it('makes everybody wait while it pauses, and nobody once it was taken', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    await replace(mine, bad)
    await replace(mine, bad, 3)
    await store.redis.hset(tokenKey, 'pausedUntil', String(Date.now() + 60_000))
    expect(other.isReady()).toBe(false)
    expect(await other.current()).toMatchObject({ kind: 'paused', pauseMs: expect.any(Number) })
    expect(other.isReady()).toBe(false)
    other.prove(bad)
    expect(other.isReady()).toBe(true)
    await vi.waitFor(async () => expect(await store.redis.hexists(tokenKey, 'pausedUntil')).toBe(0), 5000)
    expect(tokenOf(await tokens().current())).toEqual(bad)
  })

  it('and that the endpoint repeats is forced once it has been refused for a minute, and not again within 30 seconds', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    await other.current()
    fake.control.invalidateTokens({ repeatDead: true })
    const forMinutes = (value: string) =>
      store.redis.hset(tokenKey, { value, refusedAt: String(Date.now() - 60_000), repeats: '5' })
    await serve(bad)
    await forMinutes(bad.value)
    const good = tokenOf(await replace(mine, bad))
    expect(good.value).not.toBe(bad.value)
    expect(await sends(good)).toBe(0)
    expect(calls()).toEqual([plain, plain, forced])
    expect(tokenOf(await replace(other, bad))).toEqual(good)
    await serve(good)
    await forMinutes(good.value)

    fake.control.invalidateTokens({ repeatDead: true })
    const answers = [await replace(other, good), await replace(mine, good), await replace(mine, good)]
    for (const answer of answers) expect(answer).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
    expect(calls()).toEqual([plain, plain, forced, plain])
    for (let n = 0; n < 20; n += 1) expect(await mine.current()).toMatchObject({ kind: 'no-token' })
    for (let n = 0; n < 20; n += 1) expect(await tokens().current()).toMatchObject({ kind: 'no-token' })
    expect(calls()).toHaveLength(4)
  })

  it('and that cannot be replaced is tried again after a minute, for WeChat may have been wrong', async () => {
    const mine = tokens()
    const bad = tokenOf(await mine.current())
    await store.redis.set(`${tokenKey}:forced`, '1')
    await serve(bad)
    await store.redis.hset(tokenKey, { refusedAt: '1', repeats: '5' })
    expect(await replace(mine, bad)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
    await aMinuteLater()
    expect(tokenOf(await tokens().current()).value).toBe(bad.value)
    expect(calls()).toEqual([plain, plain, plain])
  })

  it('counts as refreshed only when the new one was fetched after the refusal', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    await other.current()
    fake.control.invalidateTokens()
    expect(await replace(mine, bad)).toMatchObject({ fresh: true })
    expect(await replace(other, bad)).toMatchObject({ fresh: false })
    expect(await replace(mine, bad)).toMatchObject({ fresh: false })
  })

  it('and condemned, because every new one is refused, is the last that anybody fetches for a minute', async () => {
    const [mine, other] = [tokens({ kind: 'classic' }), tokens({ kind: 'classic' })]
    const bad = tokenOf(await mine.current())
    await mine.condemn(bad)
    expect(await replace(other, bad)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
    for (const one of [mine, other, tokens()]) expect((await one.current()).kind).toBe('no-token')
    expect(calls()).toHaveLength(1)
    await aMinuteLater()
    expect(tokenOf(await tokens({ kind: 'classic' }).current()).value).not.toBe(bad.value)
  })
})

describe('a token near its end', () => {
  it('serves on while another is fetched, once', async () => {
    const old = tokenOf(await tokens().current())
    // Five minutes before the end of a short life: as every process would see it that has waited until then.
    await store.redis.hset(tokenKey, 'expiresAt', String(Date.now() + 60_000))
    fake.control.invalidateTokens()
    fake.control.addFault({ endpoint: 'token', fault: { name: 'latency', minMs: 100, maxMs: 100 } })
    const all = processes(3)
    const meanwhile = await Promise.all(Array.from({ length: 30 }, (_, n) => (all[n % 3] ?? tokens()).current()))
    expect(values(meanwhile)).toEqual(new Set([old.value]))
    await vi.waitFor(async () => {
      const renewed = await Promise.all(all.map((one) => one.current()))
      for (const result of renewed) expect(tokenOf(result).version).toBe(old.version + 1)
    }, 5000)
    expect(calls()).toHaveLength(2)
    expect(await sends(tokenOf(await (all[0] ?? tokens()).current()))).toBe(0)
  })

  it('serves on when the renewal fails', async () => {
    const old = tokenOf(await tokens().current())
    await store.redis.hset(tokenKey, 'expiresAt', String(Date.now() + 60_000))
    fake.control.addFault({ endpoint: 'token', fault: { name: 'errcode', errcode: -1 } })
    const mine = tokens()
    expect(tokenOf(await mine.current())).toEqual(old)
    expect(tokenOf(await mine.current())).toEqual(old)
    await vi.waitFor(() => expect(lines.join('')).toContain('token.unavailable'), 5000)
    expect(tokenOf(await mine.current())).toEqual(old)
    expect(calls()).toHaveLength(2)
  })

  it('of a short life is renewed in its last quarter and not before', async () => {
    fake.control.setTokens({ expiresInS: 100 })
    await tokens().current()
    fake.control.invalidateTokens()
    const lasts = async (leftMs: number): Promise<Tokens> => {
      await store.redis.hset(tokenKey, 'expiresAt', String(Date.now() + leftMs))
      const late = tokens()
      await late.current()
      await late.current()
      return late
    }
    await lasts(30_000)
    const late = await lasts(20_000)
    await vi.waitFor(async () => expect(tokenOf(await late.current()).version).toBe(2), 5000)
    expect(calls()).toHaveLength(2)
  })
})
