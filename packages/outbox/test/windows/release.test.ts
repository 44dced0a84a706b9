// What an action lets go, it lets go in its own step: nothing that waits for the user waits for a timer besides.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { Consumer } from '../../src/worker/consumer.ts'
import { acts, createTruth, type Truth } from '../support/windows.ts'
import { createWorld, keys, text, WAIT_MS, type World } from '../support/world.ts'

const PERSON = 'o-release'

let world: World
let truth: Truth
let consumers: Consumer[] = []
beforeAll(async () => void (world = await createWorld()))
beforeEach(async () => {
  await world.redis.flushall()
  truth = createTruth()
})
afterEach(stop)
afterAll(() => world.close())

async function stop(): Promise<void> {
  await Promise.all(consumers.splice(0).map((one) => one.close(1000)))
}
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const send = (count: number, more: object = { onClosed: 'hold' }): Promise<string[]> =>
  world.accept(Array.from({ length: count }, (_, n) => ({ ...text(PERSON, `n${n}`), ...more })))
const work = async () => void consumers.push((await world.consumer(truth.deliver)).consumer)
const wait = () => world.redis.lrange(keys.sendWait, '0', '-1')
const usedUp = async () => {
  await acts(world, PERSON)
  await world.redis.hset(keys.window(PERSON), 'used', 5)
}

it('the first of the lane stands in the queue, and whoever waits for messages is called, when the action is answered', async () => {
  await usedUp()
  const [first = ''] = await send(2)
  await work()
  await until(async () => expect((await world.outbox().status(first))?.status).toBe('waiting-for-user'))
  await stop()
  await world.redis.del(keys.sendMarker)
  await acts(world, PERSON)
  expect(await wait()).toEqual([first])
  expect(await world.redis.zscore(keys.sendMarker, '0')).toBe('0')
})

it.each([
  ['that may wait', { onClosed: 'hold' }],
  ['that would die', {}],
])(
  'so does a message %s and is tried again in a moment, because WeChat may have heard of the last action late',
  async (_what, policy) => {
    await acts(world, PERSON)
    truth.allow(PERSON, 0)
    const [first = ''] = await send(1, policy)
    await work()
    await until(async () => expect(await world.redis.zcard(keys.sendDelayed)).toBe(1))
    await stop()
    expect(truth.refused).toEqual([first])
    await acts(world, PERSON)
    expect(await wait()).toEqual([first])
    truth.allow(PERSON, 5)
    await work()
    await until(() => expect(truth.taken).toEqual([first]))
    expect(await world.redis.hget(keys.sendJob(first), 'parked')).toBe('0')
  },
)

it('no backoff ends with an action that is no matter of windows', async () => {
  await acts(world, PERSON)
  const [first = ''] = await send(1)
  await world.redis.zadd(keys.sendDelayed, (Date.now() + 60_000) * 0x1000, first)
  await world.redis.lrem(keys.sendWait, 0, first)
  await acts(world, PERSON)
  expect(await wait()).toEqual([])
})

it('what has waited, and was delivered, is no longer listed by when it would have been given up', async () => {
  await usedUp()
  const [first = ''] = await send(1)
  await work()
  await until(async () => expect(await world.redis.zcard(keys.expiring)).toBe(1))
  await acts(world, PERSON)
  await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(1))
  expect(truth.taken).toEqual([first])
  expect(await world.redis.exists(keys.expiring)).toBe(0)
})
