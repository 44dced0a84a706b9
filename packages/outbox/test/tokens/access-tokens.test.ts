import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AccessTokens, createAccessTokens, readAccessToken } from '../../src/tokens/access-tokens.ts'
import { APP, createWorld, keys, type World } from '../support/world.ts'

const OTHER_APP = 'wxfedcba9876543210'
const SECRET = 'wxo_an-api-key-of-a-service'

let world: World
let tokens: AccessTokens
/** A second gateway, as far as the store can tell. */
let other: AccessTokens
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(async () => {
  await world.redis.flushall()
  tokens = createAccessTokens(world.store, APP)
  other = createAccessTokens(world.store, APP)
})
afterAll(() => world.close())

const keyOf = (token: string): string => keys.access(createHash('sha256').update(token).digest('base64url'))
const ownerOf = (token: string) => readAccessToken(world.store, token)
const stable = (from: AccessTokens, force = false) => from.stable('shop', { secret: SECRET, force })

describe('a token', () => {
  it('is known everywhere, by its app and its key, for two hours', async () => {
    const { token, leftMs } = await tokens.issue('shop')
    expect(token).toMatch(/^wxot_[0-9a-f]{16}_[\w-]{43}$/)
    expect(leftMs).toBe(7_200_000)
    expect(await ownerOf(token)).toEqual({ appid: APP, holder: 'shop' })
    const ttl = await world.redis.pttl(keyOf(token))
    expect(ttl).toBeGreaterThan(7_190_000)
    expect(ttl).toBeLessThanOrEqual(7_200_000)
  })

  it('is another one each time, and the earlier ones stay good', async () => {
    const given = [await tokens.issue('shop'), await tokens.issue('shop'), await other.issue('shop')]
    expect(new Set(given.map(({ token }) => token)).size).toBe(3)
    for (const { token } of given) expect(await ownerOf(token)).toEqual({ appid: APP, holder: 'shop' })
  })

  it('that was forged, cut, or moved to another app is nobody’s', async () => {
    const { token } = await tokens.issue('shop')
    const moved = token.replace(APP.slice(2), OTHER_APP.slice(2))
    for (const bad of [
      '',
      token.slice(0, -1),
      `${token}A`,
      moved,
      token.toUpperCase(),
      'of:shop',
      `wxot_${'0'.repeat(16)}_of:shop`,
    ]) {
      expect(await ownerOf(bad), bad).toBeNull()
    }
  })

  it('does not stand in Redis, nor does the secret that it was asked with', async () => {
    const given = [await tokens.issue('shop'), await stable(tokens)].map(({ token }) => token)
    const dump: string[] = []
    for (const key of await world.redis.keys('*')) {
      dump.push(key, (await world.redis.dumpBuffer(key)).toString('latin1'))
    }
    expect(dump.length).toBeGreaterThan(6)
    for (const secret of [...given, SECRET]) {
      expect(dump.join('\n')).not.toContain(secret)
      expect(dump.join('\n')).not.toContain(secret.slice(-43))
    }
  })

  it('gives way to newer ones beyond a hundred of one key, and to none of another’s', async () => {
    const first = await tokens.issue('shop')
    const neighbour = await tokens.issue('crm')
    for (let n = 0; n < 100; n += 1) await tokens.issue('shop')
    expect(await ownerOf(first.token)).toBeNull()
    expect(await ownerOf(neighbour.token)).not.toBeNull()
    expect(await world.redis.zcard(keys.accessOf('shop'))).toBe(100)
    expect(await world.redis.keys(keys.access('*'))).toHaveLength(100 + 1 + 2)
  })
})

describe('a stable token', () => {
  it('is the same at every gateway, and different per key, secret and app', async () => {
    const { token } = await stable(tokens)
    expect(await ownerOf(token)).toEqual({ appid: APP, holder: 'shop' })
    const again = await stable(other)
    expect(again.token).toBe(token)
    expect(again.leftMs).toBeLessThanOrEqual(7_200_000)
    const others = [
      await tokens.stable('crm', { secret: SECRET, force: false }),
      await tokens.stable('shop', { secret: 'another', force: false }),
      await createAccessTokens(world.store, OTHER_APP).stable('shop', { secret: SECRET, force: false }),
    ].map((given) => given.token)
    expect(new Set([token, ...others]).size).toBe(4)
    // Two secrets of one key do not end each other's.
    expect((await stable(tokens)).token).toBe(token)
  })

  it('is one, however many ask at the same time', async () => {
    const given = await Promise.all(Array.from({ length: 20 }, (_, n) => stable(n % 2 === 0 ? tokens : other)))
    expect(new Set(given.map(({ token }) => token)).size).toBe(1)
  })

  it('is renewed in its last five minutes, while the old one stays good', async () => {
    const old = await stable(tokens)
    await world.redis.pexpire(keyOf(old.token), 300_500)
    expect((await stable(tokens)).token).toBe(old.token)
    await world.redis.pexpire(keyOf(old.token), 299_000)
    const next = await stable(other)
    expect(next).toMatchObject({ token: expect.not.stringContaining(old.token), leftMs: 7_200_000 })
    expect(await ownerOf(old.token)).not.toBeNull()
    expect((await stable(tokens)).token).toBe(next.token)
  })

  it('is ended by force, and replaced', async () => {
    const old = await stable(tokens)
    const next = await stable(other, true)
    expect(next.token).not.toBe(old.token)
    expect(await ownerOf(old.token)).toBeNull()
    expect(await ownerOf(next.token)).not.toBeNull()
    expect((await stable(tokens)).token).toBe(next.token)
  })

  it('that was deleted does not come back: the next one is another', async () => {
    const old = await stable(tokens)
    await world.redis.del(keyOf(old.token))
    const next = await stable(tokens)
    expect(next.token).not.toBe(old.token)
    expect(await ownerOf(old.token)).toBeNull()
    expect(await ownerOf(next.token)).not.toBeNull()
  })
})

it('revokes all tokens of one key of one app, and nothing else', async () => {
  const gone = [await tokens.issue('shop'), await tokens.issue('shop'), await stable(tokens)]
  const kept = [await tokens.issue('crm'), await createAccessTokens(world.store, OTHER_APP).issue('shop')]
  expect(await tokens.revoke('shop')).toBe(3)
  for (const { token } of gone) expect(await ownerOf(token)).toBeNull()
  for (const { token } of kept) expect(await ownerOf(token)).not.toBeNull()
  expect(await tokens.revoke('shop')).toBe(0)
  expect((await stable(tokens)).token).not.toBe(gone[2]?.token)
})
