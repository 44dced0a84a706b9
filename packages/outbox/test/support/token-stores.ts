/** The token of an app as two processes see it, for one test file. Live bindings: the hooks fill them. */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import { createNews, type News } from '../../src/redis/pubsub.ts'
import { createTokenStore, type TokenClaim, type TokenLock, type TokenStore } from '../../src/tokens/token-store.ts'
import { APP, createWorld, type World } from './world.ts'

export let world: World
let news: News
export let tokens: TokenStore
/** A second process, as far as the store can tell, which hears of what the first one does. */
export let other: TokenStore

export function useTokenStores(): void {
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
}

export const claim = (store: TokenStore, given: Partial<TokenClaim> = {}) =>
  store.claim({ mode: 'need', lockMs: 10_000, aheadMs: 300_000, ...given })

export async function locked(store: TokenStore, given: Partial<TokenClaim> = {}): Promise<TokenLock> {
  const claimed = await claim(store, given)
  if (claimed.kind !== 'lock') throw new Error(`no lock but ${claimed.kind}`)
  return claimed.lock
}

export const fetched = (value: string, lifetimeMs = 7_200_000) => ({ value, parameter: 'access_token', lifetimeMs })

/** Stores a token as a fetch would. */
export async function put(value: string, lifetimeMs?: number, bad?: string): Promise<void> {
  const lock = await locked(tokens, { bad })
  expect(await lock.store(fetched(value, lifetimeMs))).toBe(true)
  await lock.release()
}
