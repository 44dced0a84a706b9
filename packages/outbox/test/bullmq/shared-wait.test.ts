import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { createSharedWait, type SharedWait } from '../../src/bullmq/shared-wait.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
let sharedWait: SharedWait
let redis: Redis
beforeAll(async () => {
  world = await createWorld()
  redis = world.redis as Redis
  sharedWait = createSharedWait(redis, world.store.clock)
})
afterAll(async () => {
  sharedWait.close()
  await world.close()
})

const MINUTE_MS = 60_000
let names = 0
const key = (): string => `marker-${(names += 1)}`
const bells = async (): Promise<string[]> =>
  ((await redis.client('LIST')) as string).split('\n').filter((line) => line.includes('name=wxo:wait'))

it('tells whoever waits, however late they came and however many there are, on one connection', async () => {
  const keys = Array.from({ length: 300 }, key)
  const first = keys.slice(0, 150).map((one) => sharedWait.wait(one, MINUTE_MS))
  await vi.waitFor(async () => expect((await bells()).join()).toContain('cmd=bzpopmin'), 10_000)
  const late = keys.slice(150).map((one) => sharedWait.wait(one, MINUTE_MS))
  for (const one of keys.toReversed()) await redis.zadd(one, 0, '0')
  const heard = await Promise.all([...first, ...late].map((waiting) => waiting.heard))
  expect(heard).toEqual(keys.map(() => ({ member: '0', score: 0 })))
  // The world has a sharedWait of its own, with nobody waiting at it.
  expect(await bells()).toHaveLength(1)
})

it('hears of a queue whose wait began while it listened to others, before their wait has ended', async () => {
  const others = sharedWait.wait(key(), MINUTE_MS)
  others.heard.catch(() => undefined)
  await vi.waitFor(async () => expect((await bells()).join()).toContain('cmd=bzpopmin'), 10_000)
  const one = key()
  const began = performance.now()
  const waiting = sharedWait.wait(one, MINUTE_MS)
  await redis.zadd(one, 0, '0')
  expect(await waiting.heard).toEqual({ member: '0', score: 0 })
  // One command listens for ten seconds.
  expect(performance.now() - began).toBeLessThan(8000)
  others.cancel(new Error('over'))
})

it('hears at once those who begin to wait one after another', async () => {
  for (let turn = 0; turn < 50; turn += 1) {
    const [one, other] = [key(), key()]
    const waiting = [sharedWait.wait(one, MINUTE_MS)]
    await new Promise((resolve) => setImmediate(resolve))
    waiting.push(sharedWait.wait(other, MINUTE_MS))
    await redis.multi().zadd(one, 0, '0').zadd(other, 0, '0').exec()
    await Promise.all(waiting.map(({ heard }) => heard))
  }
})

it('keeps a marker of a later time as the end of the wait', async () => {
  const one = key()
  const waiting = sharedWait.wait(one, MINUTE_MS)
  const due = Date.now() + 300
  await redis.zadd(one, due, '1')
  expect(await waiting.heard).toBeNull()
  // By Redis's clock, which is measured to a millisecond or so.
  expect(Date.now()).toBeGreaterThanOrEqual(due - 5)
})

it.each([
  ['ahead of', 10 * MINUTE_MS],
  ['behind', -10 * MINUTE_MS],
])('waits for the time of a marker where this clock is %s Redis’s', async (_what, aheadMs) => {
  const skewed = createSharedWait(redis, { toLocal: (redisMs) => redisMs + aheadMs })
  onTestFinished(() => skewed.close())
  const one = key()
  const waiting = skewed.wait(one, MINUTE_MS)
  const dueHere = Date.now() + 300
  await redis.zadd(one, dueHere - aheadMs, '1')
  expect(await waiting.heard).toBeNull()
  // A timer counts by another clock, and may come a fraction of a millisecond early by this one.
  expect(Date.now()).toBeGreaterThanOrEqual(dueHere - 1)
})

it('puts back a marker that nobody waits for any more', async () => {
  const one = key()
  const waiting = sharedWait.wait(one, MINUTE_MS)
  const other = sharedWait.wait(key(), MINUTE_MS)
  await vi.waitFor(async () => expect((await bells()).join()).toContain('cmd=bzpopmin'), 10_000)
  waiting.cancel(new Error('left'))
  await expect(waiting.heard).rejects.toThrow('left')
  await redis.zadd(one, 0, '0')
  await vi.waitFor(async () => expect(await redis.zscore(one, '0')).toBe('0'), 10_000)
  other.cancel(new Error('left'))
  await expect(other.heard).rejects.toThrow('left')
})

it('listens again after its connection was cut', async () => {
  const one = key()
  const waiting = sharedWait.wait(one, MINUTE_MS)
  const cut = await vi.waitFor(async () => {
    const [line = ''] = await bells()
    expect(line).toContain('cmd=bzpopmin')
    return /id=(\d+)/.exec(line)?.[1] ?? ''
  }, 10_000)
  await redis.client('KILL', 'ID', cut)
  await redis.zadd(one, 0, '0')
  expect(await waiting.heard).toEqual({ member: '0', score: 0 })
})

it('is rung by those who know without a marker', async () => {
  const [now, later] = [key(), key()]
  const waiting = [sharedWait.wait(now, MINUTE_MS), sharedWait.wait(later, MINUTE_MS)]
  sharedWait.notify(now)
  sharedWait.notify(later, Date.now() + 50)
  expect(await Promise.all(waiting.map(({ heard }) => heard))).toEqual([{ member: '0', score: 0 }, null])
})

it('pauses where Redis refuses to end its wait for too few queues, and hears them once that is over', async () => {
  const others = sharedWait.wait(key(), MINUTE_MS)
  others.heard.catch(() => undefined)
  await vi.waitFor(async () => expect((await bells()).join()).toContain('cmd=bzpopmin'), 10_000)
  await redis.config('RESETSTAT')
  await redis.config('SET', 'min-replicas-to-write', '1')
  onTestFinished(async () => void (await redis.config('SET', 'min-replicas-to-write', '0')))
  const refused = async (): Promise<number> =>
    Number(/cmdstat_zadd:.*rejected_calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
  const one = key()
  const waiting = sharedWait.wait(one, MINUTE_MS)
  const began = performance.now()
  await vi.waitFor(async () => expect(await refused()).toBeGreaterThanOrEqual(4), { timeout: 10_000, interval: 5 })
  // Three pauses of a fifth of a second lie between four attempts.
  expect(performance.now() - began).toBeGreaterThanOrEqual(590)
  await redis.config('SET', 'min-replicas-to-write', '0')
  await redis.zadd(one, 0, '0')
  expect(await waiting.heard).toEqual({ member: '0', score: 0 })
  // One command listens for ten seconds.
  expect(performance.now() - began).toBeLessThan(8000)
  others.cancel(new Error('over'))
})
