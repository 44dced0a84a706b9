/** A Redis, a fake WeChat and the tokens of any number of processes, for one test file. Live bindings: the hooks fill them. */
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { appPrefix, createTokenStore, type News, type Store } from '@wechat-outbox/outbox/engine'
import { createLogger } from '@wechat-outbox/runtime'
import type { LocalRedis } from '@wechat-outbox/sandbox'
import { type StoreWorld, startStoreWorld } from '@wechat-outbox/test-world'
import { createTokenSource, createWechatClient, type WechatClient } from '@wechat-outbox/wechat'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { RefreshResult } from '../../src/token-refresh.ts'
import {
  createTokens,
  type PausedToken,
  type Replacement,
  type Token,
  type TokenResult,
  type Tokens,
} from '../../src/tokens.ts'

const FETCH_TIMEOUT_MS = 1000
export const tokenKey = `${appPrefix(SANDBOX_APP_ID)}:token`
export const lockKey = `${tokenKey}:lock`
export const failureKey = `${tokenKey}:failure`

let world: StoreWorld
export let server: LocalRedis
export let fake: FakeWechat
let client: WechatClient
export let store: Store
export const lines: string[] = []
export const results: RefreshResult[] = []

export function useTokenWorld(): void {
  beforeAll(async () => {
    world = await startStoreWorld({ appid: SANDBOX_APP_ID })
    server = world.redis
    store = world.store
    fake = await startFakeWechat()
    client = createWechatClient({ baseUrl: fake.url, connections: 10, timeoutMs: FETCH_TIMEOUT_MS })
  })
  beforeEach(async () => {
    await store.redis.flushall()
    fake.control.reset()
    fake.control.setApp({ appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET })
    lines.length = 0
    results.length = 0
  })
  afterAll(async () => {
    await client.close()
    await fake.close()
    await world.close()
  })
}

/** One process’s tokens, as far as anybody can tell: nothing is shared but Redis. */
export function tokens({ kind = 'stable', news }: { kind?: 'stable' | 'classic'; news?: News } = {}): Tokens {
  const app = { appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }
  const source = createTokenSource({ type: kind }, { ...app, client, timeoutMs: FETCH_TIMEOUT_MS })
  if (source.kind !== 'shared') throw new Error('not shared')
  return createTokens({
    ...app,
    source,
    store: createTokenStore(store, SANDBOX_APP_ID, news),
    log: createLogger({ level: 'trace', name: 'test', destination: { write: (line) => void lines.push(line) } }),
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
    onRefresh: (result) => void results.push(result),
  })
}
export const processes = (count: number): Tokens[] => Array.from({ length: count }, () => tokens())
export const calls = (): { force: boolean; kind: string }[] =>
  fake.ledger.tokenCalls().map(({ force, kind }) => ({ force, kind }))
export const plain = { force: false, kind: 'stable' }
export const forced = { force: true, kind: 'stable' }

/** As far as the memory of a failure is concerned. */
export const aMinuteLater = () => store.redis.hset(failureKey, 'until', '1')

type Got = TokenResult | PausedToken
export function tokenOf(result: Got): Token {
  if (result.kind !== 'token') throw new Error(`no token: ${JSON.stringify(result)}`)
  return result.token
}
export const values = (results: readonly Got[]): Set<string> => new Set(results.map((result) => tokenOf(result).value))
/** WeChat has taken a call with it, and all processes can know. */
export async function serve(token: Token): Promise<void> {
  if ((await store.redis.hget(tokenKey, 'accepted')) === '1') return
  await createTokenStore(store, SANDBOX_APP_ID).prove(token.value)
}
/** A token that has served is refused to a call that began just now, for the n-th time in a row. */
export async function replace(one: Tokens, bad: Token, inARow = 1): Promise<Replacement> {
  await serve(bad)
  return one.replace(bad, { startedAt: performance.now(), inARow })
}
export async function sends(token: Token): Promise<number> {
  const body = { touser: 'o1', msgtype: 'text', text: { content: 'hello' } }
  const outcome = await client.send({ token, body })
  return outcome.kind === 'answered' ? outcome.errcode : Number.NaN
}
