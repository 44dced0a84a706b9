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
  sends,
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
    const replaced = await Promise.all(Array.from({ length: 40 }, (_, n) => (all[n % 4] ?? tokens()).replace(bad)))
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
    const good = tokenOf(await mine.replace(bad))
    expect(tokenOf(await mine.replace(bad))).toEqual(good)
    expect(calls()).toHaveLength(2)
  })

  it('and that the endpoint repeats is forced once, and not again within 30 seconds', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    await other.current()
    fake.control.invalidateTokens({ repeatDead: true })
    const good = tokenOf(await mine.replace(bad))
    expect(good.value).not.toBe(bad.value)
    expect(await sends(good)).toBe(0)
    expect(calls()).toEqual([plain, plain, forced])
    expect(tokenOf(await other.replace(bad))).toEqual(good)

    fake.control.invalidateTokens({ repeatDead: true })
    const answers = [await other.replace(good), await mine.replace(good), await mine.replace(good)]
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
    expect(await mine.replace(bad)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
    await aMinuteLater()
    expect(tokenOf(await tokens().current()).value).toBe(bad.value)
    expect(calls()).toEqual([plain, plain, plain])
  })

  it('counts as refreshed only when the new one was fetched after the refusal', async () => {
    const [mine, other] = [tokens(), tokens()]
    const bad = tokenOf(await mine.current())
    await other.current()
    fake.control.invalidateTokens()
    expect(await mine.replace(bad)).toMatchObject({ fresh: true })
    expect(await other.replace(bad)).toMatchObject({ fresh: false })
    expect(await mine.replace(bad)).toMatchObject({ fresh: false })
  })

  it('and condemned, because every new one is refused, is the last that anybody fetches for a minute', async () => {
    const [mine, other] = [tokens({ kind: 'classic' }), tokens({ kind: 'classic' })]
    const bad = tokenOf(await mine.current())
    await mine.condemn(bad)
    expect(await other.replace(bad)).toMatchObject({ kind: 'no-token', errcode: 40001, lasts: true })
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
