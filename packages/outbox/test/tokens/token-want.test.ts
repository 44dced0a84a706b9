// A token that is wanted by who cannot fetch one: the gateway.
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import { createNews, type News } from '../../src/redis/pubsub.ts'
import { createTokenStore, type TokenLock, type TokenStore } from '../../src/tokens/token-store.ts'
import { APP, createWorld, keys, type World } from '../support/world.ts'

let world: World
let tokens: TokenStore
/** A worker's, which listens. */
let other: TokenStore
let news: News
beforeAll(async () => {
  world = await createWorld()
  news = createNews(connectRedis(world.url, 'work'))
})
beforeEach(async () => {
  await world.redis.flushall()
  tokens = createTokenStore(world.store, APP)
  other = createTokenStore(world.store, APP, news)
})
afterAll(async () => {
  news.close()
  await world.close()
})

async function locked(): Promise<TokenLock> {
  const claimed = await tokens.claim({ mode: 'need', lockMs: 10_000, aheadMs: 300_000 })
  if (claimed.kind !== 'lock') throw new Error(`no lock but ${claimed.kind}`)
  return claimed.lock
}
/** Stores a token as a fetch would. */
async function put(value: string): Promise<void> {
  const lock = await locked()
  expect(await lock.store({ value, parameter: 'access_token', lifetimeMs: 7_200_000 })).toBe(true)
  await lock.release()
}

it('a wanted token is heard of by whoever listens, and hopeless where nobody does', async () => {
  expect(await tokens.want()).toBe(false)
  const [news, wanted] = [vi.fn(), vi.fn()]
  const end = other.listen(news, wanted)
  await vi.waitFor(() => expect(news).toHaveBeenCalled(), 5000)
  expect(await tokens.want()).toBe(true)
  await vi.waitFor(() => expect(wanted).toHaveBeenCalledTimes(1), 5000)
  end()
})

it('a wanted token is hopeless for as long as a failure is remembered', async () => {
  const end = other.listen(() => undefined)
  await vi.waitFor(async () => expect(await tokens.want()).toBe(true), 5000)
  await (await locked()).fail({ detail: 'down' }, { firstMs: 15_000, mostMs: 15_000 })
  expect(await tokens.want()).toBe(false)
  end()
})

it('a report takes a refusal of the value that stands there, of no other, and no second one within a minute', async () => {
  const end = other.listen(() => undefined)
  await vi.waitFor(async () => expect(await tokens.want()).toBe(true), 5000)
  await put('one')
  expect(await tokens.want('zero')).toBe(true)
  expect((await tokens.read())?.refused).toBe(false)
  expect(await tokens.want('one')).toBe(true)
  expect((await tokens.read())?.refused).toBe(true)
  expect(await tokens.want('one')).toBe(true)
  await put('two')
  expect(await tokens.want('two')).toBe(false)
  expect((await tokens.read())?.refused).toBe(false)
  expect(await world.redis.pttl(keys.tokenDoubted)).toBeGreaterThan(50_000)
  await world.redis.del(keys.tokenDoubted)
  expect(await tokens.want('two')).toBe(true)
  expect((await tokens.read())?.refused).toBe(true)
  end()
})
