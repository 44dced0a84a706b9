import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { appPrefix, connectRedis, createTokenStore, openStore, type Store, whenReady } from '@wechat-outbox/outbox'
import { createLogger } from '@wechat-outbox/runtime'
import {
  type FakeWechat,
  type LocalRedis,
  SANDBOX_APP_ID,
  SANDBOX_APP_SECRET,
  startFakeWechat,
  startLocalRedis,
} from '@wechat-outbox/sandbox'
import { createWechatClient, type WechatClient } from '@wechat-outbox/wechat'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTokens, type Token, type TokenResult, type Tokens, type TokensOptions } from '../src/tokens.ts'

const FETCH_TIMEOUT_MS = 1000
const tokenKey = `${appPrefix(SANDBOX_APP_ID)}:token`
const lockKey = `${tokenKey}:lock`

let dir = ''
let server: LocalRedis
let fake: FakeWechat
let client: WechatClient
let store: Store
let lines: string[] = []
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-worker-tokens-'))
  server = await startLocalRedis({ dir })
  fake = await startFakeWechat()
  client = createWechatClient({ baseUrl: fake.url, connections: 10, timeoutMs: FETCH_TIMEOUT_MS })
  const redis = connectRedis(server.url, 'work')
  redis.on('error', () => undefined)
  await whenReady(redis, 5000)
  store = await openStore(redis)
})
beforeEach(async () => {
  await store.redis.flushall()
  fake.control.reset()
  fake.control.setApp({ appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET })
  lines = []
})
afterAll(async () => {
  await client.close()
  store.redis.disconnect()
  await fake.close()
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})

/** One process’s tokens, as far as anybody can tell: nothing is shared but Redis. */
const tokens = (options: Partial<TokensOptions> = {}): Tokens =>
  createTokens({
    appid: SANDBOX_APP_ID,
    secret: SANDBOX_APP_SECRET,
    kind: 'stable',
    store: createTokenStore(store, SANDBOX_APP_ID),
    client,
    log: createLogger({ level: 'trace', name: 'test', destination: { write: (line) => void lines.push(line) } }),
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
    ...options,
  })
const processes = (count: number): Tokens[] => Array.from({ length: count }, () => tokens())
const calls = (): { force: boolean; kind: string }[] =>
  fake.ledger.tokenCalls().map(({ force, kind }) => ({ force, kind }))
const plain = { force: false, kind: 'stable' }
const forced = { force: true, kind: 'stable' }

function tokenOf(result: TokenResult): Token {
  if (result.kind !== 'token') throw new Error(`no token: ${result.detail}`)
  return result.token
}
const values = (results: readonly TokenResult[]): Set<string> => new Set(results.map((result) => tokenOf(result).value))
async function sends(token: Token): Promise<number> {
  const body = { touser: 'o1', msgtype: 'text', text: { content: 'hello' } }
  const outcome = await client.send({ token, body })
  return outcome.kind === 'answered' ? outcome.errcode : Number.NaN
}

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
    const results = [await other.replace(good), await mine.replace(good), await mine.replace(good)]
    for (const result of results) expect(result).toMatchObject({ kind: 'no-token', errcode: 40001 })
    expect(calls().filter(({ force }) => force)).toHaveLength(1)
    const asked = calls().length
    for (let n = 0; n < 20; n += 1) expect(await mine.current()).toMatchObject({ kind: 'no-token' })
    expect(calls()).toHaveLength(asked)
  })
})

describe('an endpoint that refuses', () => {
  it('gives its errcode, is not asked again by whoever asks, and gives away no secret', async () => {
    fake.control.setApp({ appid: SANDBOX_APP_ID, secret: 'another0secret' })
    const mine = tokens()
    const results = await Promise.all(Array.from({ length: 20 }, () => mine.current()))
    for (let n = 0; n < 20; n += 1) results.push(await mine.current())
    for (const result of results) expect(result).toMatchObject({ kind: 'no-token', errcode: 40125 })
    expect(calls()).toHaveLength(1)
    expect(JSON.stringify(results) + lines.join('')).not.toContain(SANDBOX_APP_SECRET)
    expect(lines.filter((line) => line.includes('token.unavailable'))).toHaveLength(1)
  })

  it('leaves no lock behind', async () => {
    fake.control.addFault({ endpoint: 'token', times: 1, fault: { name: 'errcode', errcode: -1 } })
    expect(await tokens().current()).toMatchObject({ kind: 'no-token', errcode: -1 })
    expect(await store.redis.exists(lockKey)).toBe(0)
    expect((await tokens().current()).kind).toBe('token')
  })

  it.each(['html502', 'reset-before', 'not-json', 'hang'] as const)(
    'is only not there when it answers nothing of use: %s',
    async (name) => {
      fake.control.addFault({ endpoint: 'token', fault: { name } })
      const mine = tokens()
      const result = await mine.current()
      expect(result).toMatchObject({ kind: 'no-token', detail: expect.any(String) })
      expect('errcode' in result).toBe(false)
      expect(await mine.current()).toEqual(result)
      expect(calls()).toHaveLength(1)
    },
  )
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

describe('the lock of a process that has died', () => {
  it('delays a token by no more than the lock', async () => {
    await store.redis.set(lockKey, 'dead', 'PX', 1500)
    expect((await tokens().current()).kind).toBe('token')
    expect(calls()).toHaveLength(1)
  })

  it('is not broken while it lasts', async () => {
    await store.redis.set(lockKey, 'busy', 'PX', 60_000)
    const waiting = tokens().current()
    expect((await waiting).kind).toBe('no-token')
    expect(calls()).toHaveLength(0)
  })

  it('lets everybody go on as soon as its token is there', async () => {
    const busy = await createTokenStore(store, SANDBOX_APP_ID).lock(60_000)
    const waiting = Promise.all(processes(3).map((one) => one.current()))
    await busy?.store({ value: 'theirs', parameter: 'access_token', lifetimeMs: 7_200_000 }, 0)
    expect(values(await waiting)).toEqual(new Set(['theirs']))
    expect(calls()).toHaveLength(0)
  })
})
