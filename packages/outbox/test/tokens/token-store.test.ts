import { describe, expect, it, vi } from 'vitest'
import { createTokenStore } from '../../src/tokens/token-store.ts'
import { claim, fetched, locked, other, put, tokens, useTokenStores, world } from '../support/token-stores.ts'
import { keys } from '../support/world.ts'

useTokenStores()

const untilUnlocked = () => vi.waitFor(async () => expect(await world.redis.exists(keys.tokenLock)).toBe(0), 5000)
const ends = (leftMs: number) => world.redis.hset(keys.token, 'expiresAt', String(Date.now() + leftMs))
const wait = { firstMs: 15_000, mostMs: 60_000 }

describe('a stored token', () => {
  it('is read by everybody, with what is left of it', async () => {
    expect(await tokens.read()).toBeNull()
    await put('one')
    const read = await other.read()
    const token = { value: 'one', parameter: 'access_token', version: 1, lifetimeMs: 7_200_000, refused: false }
    expect(read).toMatchObject(token)
    expect(read?.leftMs).toBeGreaterThan(7_100_000)
    expect(read?.leftMs).toBeLessThanOrEqual(7_200_000)
    expect(await claim(other)).toMatchObject({ kind: 'token', token })
  })

  it('serves nobody after its end', async () => {
    await put('short')
    await ends(-1)
    expect((await tokens.read())?.leftMs).toBeLessThan(0)
    expect((await claim(other)).kind).toBe('lock')
  })

  it('serves nobody once WeChat has refused it, and everybody hears that', async () => {
    await put('one')
    const heard: unknown[] = []
    const end = other.listen((version) => heard.push(version))
    await vi.waitFor(() => expect(heard).toHaveLength(1), 5000)
    const lock = await locked(tokens, { bad: 'one' })
    expect(lock.refused).toBe('one')
    await vi.waitFor(() => expect(heard).toEqual([undefined, undefined]), 5000)
    end()
    expect((await claim(other)).kind).toBe('busy')
    expect(await lock.store(fetched('two'))).toBe(true)
    expect(await claim(other)).toMatchObject({ kind: 'token', token: { value: 'two', version: 2, refused: false } })
  })

  it('is not replaced on account of an older one that was refused', async () => {
    await put('one')
    await put('two', undefined, 'one')
    expect(await claim(other, { bad: 'one' })).toMatchObject({ kind: 'token', token: { value: 'two' } })
  })

  it('may be fetched ahead of its end: in its last five minutes, or in the last quarter of a short life', async () => {
    const ahead = async () => (await claim(other, { mode: 'ahead' })).kind
    await put('long')
    await ends(301_000)
    expect(await ahead()).toBe('token')
    await ends(299_000)
    expect((await claim(other)).kind).toBe('token')
    expect(await ahead()).toBe('lock')
    await world.redis.flushall()
    await put('brief', 100_000)
    await ends(26_000)
    expect(await ahead()).toBe('token')
    await ends(24_000)
    expect(await ahead()).toBe('lock')
  })

  it('is one app’s alone', async () => {
    await put('one')
    const another = createTokenStore(world.store, 'wxfedcba9876543210')
    expect(await another.read()).toBeNull()
    expect((await claim(another)).kind).toBe('lock')
  })
})

describe('storing', () => {
  it('replaces only the version that was looked at', async () => {
    const lock = await locked(tokens)
    expect(await lock.store(fetched('one'))).toBe(true)
    expect(await lock.store(fetched('late'))).toBe(false)
    expect(await tokens.read()).toMatchObject({ value: 'one', version: 1 })
  })

  it('is refused after the lock has expired, taken by another or not', async () => {
    const slow = await locked(tokens, { lockMs: 1 })
    await untilUnlocked()
    expect(await slow.store(fetched('slow'))).toBe(false)
    const quick = await locked(other)
    expect(await slow.store(fetched('slow'))).toBe(false)
    expect(await quick.store(fetched('quick'))).toBe(true)
    expect(await slow.store(fetched('slow'))).toBe(false)
    expect(await tokens.read()).toMatchObject({ value: 'quick', version: 1 })
  })

  it('makes no new version of the same value, but lets it serve again', async () => {
    await put('one')
    await put('one', 60_000, 'one')
    expect(await claim(other)).toMatchObject({ kind: 'token', token: { value: 'one', version: 1, lifetimeMs: 60_000 } })
  })

  it('is told to every process that listens, with the version', async () => {
    const heard: (number | undefined)[] = []
    const end = other.listen((version) => heard.push(version))
    // Once the subscription stands, everybody is told to look.
    await vi.waitFor(() => expect(heard).toEqual([undefined]), 5000)
    await put('one')
    await vi.waitFor(() => expect(heard).toEqual([undefined, 1]), 5000)
    end()
  })
})

describe('the lock', () => {
  it('is held by one of many', async () => {
    const tries = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(n % 2 === 0 ? tokens : other)))
    expect(tries.filter(({ kind }) => kind === 'lock')).toHaveLength(1)
    expect(tries.filter(({ kind }) => kind === 'busy')).toHaveLength(19)
  })

  it('is free again once released, and ends by itself otherwise', async () => {
    await (await locked(tokens)).release()
    await locked(other, { lockMs: 1 })
    await untilUnlocked()
    await locked(tokens)
    expect((await claim(other, { lockMs: 1 })).kind).toBe('busy')
  })

  it('of another is not released by one whose own has expired', async () => {
    const slow = await locked(tokens, { lockMs: 1 })
    await untilUnlocked()
    await locked(other)
    await slow.release()
    expect((await claim(tokens)).kind).toBe('busy')
  })
})

describe('a fetch that failed', () => {
  async function fail(errcode = 40125): Promise<number> {
    const lock = await locked(tokens)
    const waitMs = await lock.fail({ errcode, detail: 'no' }, wait)
    await lock.release()
    return waitMs
  }
  const later = () => world.redis.hset(keys.tokenFailure, 'until', '1')

  it('is remembered for everybody, with its reason, twice as long each time it happens again', async () => {
    for (const waitMs of [15_000, 30_000, 60_000, 60_000]) {
      expect(await fail()).toBe(waitMs)
      const claimed = await claim(other)
      expect(claimed).toMatchObject({ kind: 'failure', failure: { errcode: 40125, detail: 'no' } })
      if (claimed.kind !== 'failure') throw new Error('no failure')
      expect(claimed.retryInMs).toBeLessThanOrEqual(waitMs)
      expect(claimed.retryInMs).toBeGreaterThan(waitMs - 5000)
      expect(await claim(other, { mode: 'ahead' })).toMatchObject({ kind: 'failure' })
      await later()
    }
  })

  it('has no errcode where the endpoint gave none', async () => {
    await (await locked(tokens)).fail({ detail: 'timeout' }, wait)
    expect(await claim(other)).toHaveProperty('failure', { detail: 'timeout' })
  })

  it('is forgotten with the next token, and after a while without one', async () => {
    await fail()
    const { at = 0, until, failure } = (await other.readFailure()) ?? {}
    expect({ until, failure }).toEqual({ until: at + 15_000, failure: { errcode: 40125, detail: 'no' } })
    expect(await world.redis.pttl(keys.tokenFailure)).toBeGreaterThan(15_000)
    await later()
    await put('one')
    expect(await other.readFailure()).toBeNull()
  })

  it('keeps nobody from a token that serves', async () => {
    await put('one')
    await (await locked(tokens, { mode: 'probe' })).fail({ detail: 'timeout' }, wait)
    expect(await claim(other)).toMatchObject({ kind: 'token' })
  })

  it('does not count when the lock was no longer its own', async () => {
    const slow = await locked(tokens, { lockMs: 1 })
    await untilUnlocked()
    expect(await slow.fail({ detail: 'timeout' }, wait)).toBe(0)
    expect((await claim(other)).kind).toBe('lock')
  })

  it('lets a probe through, but not within 15 seconds', async () => {
    await (await locked(tokens)).fail({ detail: 'no' }, { firstMs: 60_000, mostMs: 60_000 })
    await world.redis.del(keys.tokenLock)
    const early = await claim(other, { mode: 'probe' })
    if (early.kind !== 'failure') throw new Error('no failure')
    expect(early.retryInMs).toBeLessThanOrEqual(15_000)
    await world.redis.hset(keys.tokenFailure, 'at', String(Date.now() - 15_001))
    expect(await claim(other)).toMatchObject({ kind: 'failure' })
    expect((await claim(other, { mode: 'probe' })).kind).toBe('lock')
  })

  it('lets no probe through either where it was the token that was refused', async () => {
    await (await locked(tokens)).fail({ detail: 'the same' }, { firstMs: 60_000, mostMs: 60_000, probesWait: true })
    await world.redis.del(keys.tokenLock)
    await world.redis.hset(keys.tokenFailure, 'at', String(Date.now() - 15_001))
    expect((await claim(other, { mode: 'probe' })).kind).toBe('failure')
    await later()
    expect((await claim(other, { mode: 'probe' })).kind).toBe('lock')
  })
})

describe('a token that is condemned', () => {
  it('serves nobody, and nobody fetches another for as long as was said', async () => {
    await put('one')
    expect(await other.condemn('one', { errcode: 40001, detail: 'all refused' }, 60_000)).toBe(60_000)
    expect(await claim(tokens)).toMatchObject({ kind: 'failure', failure: { errcode: 40001 } })
    await world.redis.hset(keys.tokenFailure, 'at', String(Date.now() - 15_001))
    expect(await claim(tokens, { mode: 'probe' })).toMatchObject({ kind: 'failure', failure: { errcode: 40001 } })
  })

  it('and that has been replaced meanwhile changes nothing', async () => {
    await put('one')
    await put('two', undefined, 'one')
    expect(await other.condemn('one', { errcode: 40001, detail: 'all refused' }, 60_000)).toBe(0)
    expect(await claim(tokens)).toMatchObject({ kind: 'token', token: { value: 'two' } })
  })
})

describe('a forced refresh', () => {
  const halfAMinuteLater = () => world.redis.del(keys.tokenForced)

  it('is allowed once in 30 seconds, to one of many', async () => {
    const lock = await locked(tokens)
    const asked = await Promise.all(Array.from({ length: 10 }, () => lock.mayForce()))
    expect(asked.filter(Boolean)).toHaveLength(1)
    const leftMs = await world.redis.pttl(keys.tokenForced)
    expect(leftMs).toBeGreaterThan(20_000)
    expect(leftMs).toBeLessThanOrEqual(30_000)
    await lock.release()
    expect(await (await locked(other)).mayForce()).toBe(false)
  })

  it('is allowed 20 times a day', async () => {
    const lock = await locked(tokens)
    for (let n = 0; n < 20; n += 1) {
      expect(await lock.mayForce()).toBe(true)
      await halfAMinuteLater()
    }
    expect(await lock.mayForce()).toBe(false)
    const leftMs = await world.redis.pttl(keys.tokenForcedCount)
    expect(leftMs).toBeGreaterThan(86_000_000)
    expect(leftMs).toBeLessThanOrEqual(86_400_000)
    await world.redis.del(keys.tokenForcedCount)
    expect(await lock.mayForce()).toBe(true)
  })

  it('that is refused for its interval does not count', async () => {
    const lock = await locked(tokens)
    for (let n = 0; n < 5; n += 1) await lock.mayForce()
    expect(await world.redis.get(keys.tokenForcedCount)).toBe('1')
  })

  it('is for the holder of the lock alone, and prolongs it for the second call', async () => {
    const lock = await locked(tokens)
    await world.redis.pexpire(keys.tokenLock, 100)
    expect(await lock.mayForce()).toBe(true)
    expect(await world.redis.pttl(keys.tokenLock)).toBeGreaterThan(5000)
    await halfAMinuteLater()
    await world.redis.del(keys.tokenLock)
    await locked(other)
    expect(await lock.mayForce()).toBe(false)
    expect(await world.redis.get(keys.tokenForcedCount)).toBe('1')
  })
})
