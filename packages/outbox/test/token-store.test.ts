import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTokenStore, type TokenStore } from '../src/token-store.ts'
import { APP, createWorld, keys, type World } from './support/world.ts'

let world: World
let tokens: TokenStore
/** A second process, as far as the store can tell. */
let other: TokenStore
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(async () => {
  await world.redis.flushall()
  tokens = createTokenStore(world.store, APP)
  other = createTokenStore(world.store, APP)
})
afterAll(() => world.close())

const fetched = (value: string, lifetimeMs = 7_200_000) => ({ value, parameter: 'access_token', lifetimeMs })
async function locked(store: TokenStore, ms = 10_000) {
  const lock = await store.lock(ms)
  if (lock === null) throw new Error('somebody has the lock')
  return lock
}
const untilUnlocked = () => vi.waitFor(async () => expect(await world.redis.exists(keys.tokenLock)).toBe(0), 5000)

describe('a stored token', () => {
  it('is read by everybody, with what is left of it', async () => {
    expect(await tokens.read()).toBeNull()
    expect(await (await locked(tokens)).store(fetched('one'), 0)).toBe(true)
    const read = await other.read()
    expect(read).toMatchObject({ value: 'one', parameter: 'access_token', version: 1, lifetimeMs: 7_200_000 })
    expect(read?.leftMs).toBeGreaterThan(7_100_000)
    expect(read?.leftMs).toBeLessThanOrEqual(7_200_000)
  })

  it('counts below zero after its end', async () => {
    await (await locked(tokens)).store(fetched('short', 1), 0)
    await vi.waitFor(async () => expect((await tokens.read())?.leftMs).toBeLessThan(0), 5000)
  })

  it('is one app’s alone', async () => {
    await (await locked(tokens)).store(fetched('one'), 0)
    expect(await createTokenStore(world.store, 'wxfedcba9876543210').read()).toBeNull()
  })
})

describe('storing', () => {
  it('replaces only the version that was looked at', async () => {
    const lock = await locked(tokens)
    expect(await lock.store(fetched('one'), 0)).toBe(true)
    expect(await lock.store(fetched('late'), 0)).toBe(false)
    expect(await lock.store(fetched('future'), 2)).toBe(false)
    expect(await tokens.read()).toMatchObject({ value: 'one', version: 1 })
    expect(await lock.store(fetched('two'), 1)).toBe(true)
    expect(await tokens.read()).toMatchObject({ value: 'two', version: 2 })
  })

  it('is refused after the lock has expired, taken by another or not', async () => {
    const slow = await locked(tokens, 1)
    await untilUnlocked()
    expect(await slow.store(fetched('slow'), 0)).toBe(false)
    const quick = await locked(other)
    expect(await slow.store(fetched('slow'), 0)).toBe(false)
    expect(await quick.store(fetched('quick'), 0)).toBe(true)
    expect(await slow.store(fetched('slow'), 1)).toBe(false)
    expect(await tokens.read()).toMatchObject({ value: 'quick', version: 1 })
  })
})

describe('the lock', () => {
  it('is held by one of many', async () => {
    const tries = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? tokens : other).lock(10_000)))
    expect(tries.filter((lock) => lock !== null)).toHaveLength(1)
  })

  it('is free again once released, and ends by itself otherwise', async () => {
    await (await locked(tokens)).release()
    await locked(other, 1)
    await untilUnlocked()
    await locked(tokens)
    expect(await other.lock(1)).toBeNull()
  })

  it('of another is not released by one whose own has expired', async () => {
    const slow = await locked(tokens, 1)
    await untilUnlocked()
    await locked(other)
    await slow.release()
    expect(await tokens.lock(1)).toBeNull()
  })
})

describe('a forced refresh', () => {
  const halfAMinuteLater = () => world.redis.del(keys.tokenForced)

  it('is allowed once in 30 seconds, to one of many', async () => {
    const asked = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? tokens : other).mayForce()))
    expect(asked.filter(Boolean)).toHaveLength(1)
    const leftMs = await world.redis.pttl(keys.tokenForced)
    expect(leftMs).toBeGreaterThan(20_000)
    expect(leftMs).toBeLessThanOrEqual(30_000)
  })

  it('is allowed 20 times a day', async () => {
    for (let n = 0; n < 20; n += 1) {
      expect(await tokens.mayForce()).toBe(true)
      await halfAMinuteLater()
    }
    expect(await tokens.mayForce()).toBe(false)
    const leftMs = await world.redis.pttl(keys.tokenForcedCount)
    expect(leftMs).toBeGreaterThan(86_000_000)
    expect(leftMs).toBeLessThanOrEqual(86_400_000)
    await world.redis.del(keys.tokenForcedCount)
    expect(await tokens.mayForce()).toBe(true)
  })

  it('that is refused for its interval does not count', async () => {
    for (let n = 0; n < 5; n += 1) await tokens.mayForce()
    expect(await world.redis.get(keys.tokenForcedCount)).toBe('1')
  })
})
