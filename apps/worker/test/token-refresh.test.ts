import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import { connectRedis, createNews, createTokenStore, type News } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  aMinuteLater,
  calls,
  failureKey,
  fake,
  lines,
  lockKey,
  plain,
  processes,
  replace,
  results,
  server,
  store,
  tokenKey,
  tokenOf,
  tokens,
  useTokenWorld,
  values,
} from './support/token-world.ts'

useTokenWorld()

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
    expect(await tokens().current()).toMatchObject({ kind: 'no-token', errcode: -1, lasts: false })
    expect(await store.redis.exists(lockKey)).toBe(0)
    await aMinuteLater()
    expect((await tokens().current()).kind).toBe('token')
  })

  it('is asked by one process of many, and the others know why there is no token', async () => {
    fake.control.addFault({ endpoint: 'token', fault: { name: 'errcode', errcode: 40164 } })
    const all = processes(4)
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => (all[n % 4] ?? tokens()).current()))
    for (const answer of [...answers, await tokens().current()]) {
      expect(answer).toMatchObject({ kind: 'no-token', errcode: 40164, lasts: true })
    }
    expect(calls()).toHaveLength(1)
    expect(results).toEqual(['failed'])
  })

  it.each([-1, 45009, 45011])('passes, and is asked again after 15, 30 and 60 seconds: %i', async (errcode) => {
    fake.control.addFault({ endpoint: 'token', fault: { name: 'errcode', errcode } })
    for (const seconds of [15, 30, 60, 60]) {
      const answer = await tokens().current()
      expect(answer).toMatchObject({ kind: 'no-token', errcode, lasts: false })
      if (answer.kind !== 'no-token') throw new Error('a token')
      expect(answer.retryInMs).toBeLessThanOrEqual(seconds * 1000)
      expect(answer.retryInMs).toBeGreaterThan((seconds - 5) * 1000)
      await aMinuteLater()
    }
  })

  it('is probed although it has failed, by whoever asks, and its recovery is everybody’s', async () => {
    fake.control.addFault({ endpoint: 'token', times: 2, fault: { name: 'errcode', errcode: 40164 } })
    const [mine, other] = [tokens(), tokens()]
    await Promise.all([mine.current(), other.current()])
    expect(await mine.probe()).toMatchObject({ kind: 'no-token', errcode: 40164 })
    expect(calls()).toHaveLength(1)
    const quarterLater = () => store.redis.hset(failureKey, 'at', String(Date.now() - 15_001))
    await quarterLater()
    expect(await mine.probe()).toMatchObject({ kind: 'no-token', errcode: 40164 })
    expect(calls()).toHaveLength(2)
    await quarterLater()
    const probed = tokenOf(await other.probe())
    expect(tokenOf(await tokens().current())).toEqual(probed)
    expect(calls()).toHaveLength(3)
  })

  it('is asked by a probe even while the shared token would serve', async () => {
    const mine = tokens()
    const token = tokenOf(await mine.current())
    expect(tokenOf(await mine.probe())).toEqual(token)
    expect(calls()).toHaveLength(2)
  })

  it.each(['html502', 'reset-before', 'not-json', 'hang'] as const)(
    'is only not there when it answers nothing of use: %s',
    async (name) => {
      fake.control.addFault({ endpoint: 'token', fault: { name } })
      const mine = tokens()
      const result = await mine.current()
      expect(result).toMatchObject({ kind: 'no-token', detail: expect.any(String), lasts: false })
      expect('errcode' in result).toBe(false)
      for (const one of [mine, tokens()]) expect((await one.current()).kind).toBe('no-token')
      expect(calls()).toHaveLength(1)
    },
  )
})

describe('news of a token', () => {
  let news: News
  beforeAll(() => {
    const subscriber = connectRedis(server.url, 'work')
    subscriber.on('error', () => undefined)
    news = createNews(subscriber)
  })
  afterAll(() => news.close())

  it('reaches every process at once: nobody goes on with the old one', async () => {
    const [mine, ...others] = Array.from({ length: 4 }, () => tokens({ news }))
    if (mine === undefined) throw new Error('none')
    const bad = tokenOf(await mine.current())
    await Promise.all(others.map((one) => one.current()))
    fake.control.invalidateTokens()
    const good = tokenOf(await replace(mine, bad))
    await vi.waitFor(async () => {
      for (const one of others) expect(tokenOf(await one.current())).toEqual(good)
    }, 5000)
    expect(calls()).toEqual([plain, plain])
    for (const one of [mine, ...others]) one.close()
  })

  it('is not needed by those whose fetch had failed: a process that has missed it does not hold the app again', async () => {
    fake.control.addFault({ endpoint: 'token', times: 1, fault: 'html502' })
    const [mine, other] = [tokens({ news }), tokens()]
    expect((await mine.current()).kind).toBe('no-token')
    expect((await other.current()).kind).toBe('no-token')
    await store.redis.hset(failureKey, 'at', String(Date.now() - 15_001))
    const token = tokenOf(await mine.probe())
    expect(tokenOf(await other.current())).toEqual(token)
    mine.close()
    other.close()
  })
})

describe('a late answer', () => {
  it('never takes the place of a newer token, nor a late failure that of a token', async () => {
    const [slow, quick] = [tokens({ kind: 'classic' }), tokens({ kind: 'classic' })]
    for (const fault of [{ name: 'latency', minMs: 600, maxMs: 600 }, undefined] as const) {
      if (fault !== undefined) fake.control.addFault({ endpoint: 'token', times: 1, fault })
      else fake.control.addFault({ endpoint: 'token', times: 1, fault: 'hang' })
      await store.redis.del(tokenKey)
      results.length = 0
      const made = fake.ledger.tokenCalls().length
      const late = slow.probe()
      await vi.waitFor(() => expect(fake.ledger.tokenCalls()).toHaveLength(made + 1), 5000)
      // As if the slow one had been stopped for longer than its lock lasts.
      await store.redis.del(lockKey)
      const good = tokenOf(await quick.probe())
      expect((await late).kind).toBe('token')
      expect((await createTokenStore(store, SANDBOX_APP_ID).read())?.value).toBe(good.value)
      expect(await store.redis.exists(failureKey)).toBe(0)
      expect(results[0]).toBe('stored')
      expect(['superseded', 'failed']).toContain(results[1])
    }
    expect(lines.filter((line) => line.includes('"superseded"'))).toHaveLength(1)
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
    const busy = await createTokenStore(store, SANDBOX_APP_ID).claim({ mode: 'need', lockMs: 60_000, aheadMs: 0 })
    if (busy.kind !== 'lock') throw new Error('no lock')
    const waiting = Promise.all(processes(3).map((one) => one.current()))
    await busy.lock.store({ value: 'theirs', parameter: 'access_token', lifetimeMs: 7_200_000 })
    expect(values(await waiting)).toEqual(new Set(['theirs']))
    expect(calls()).toHaveLength(0)
  })
})
