// How a wait ends: what an action lets go, it lets go in its own step, and waits for no timer besides; and who never acts is given up once
// for all that waits.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { expireMessages } from '../../src/lanes/expire.ts'
import { readWindow } from '../../src/windows/ledger.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import { burierOn } from '../support/dead.ts'
import { acts, createTruth, type Truth } from '../support/windows.ts'
import { APP, createWorld, keys, text, WAIT_MS, type World } from '../support/world.ts'

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

it('is what all of a lane waits for, as the window tells, where nothing is known of the person', async () => {
  truth.allow(PERSON, 0)
  const [first = ''] = await send(2)
  const counts = async () => {
    const { state, waiting, waitingForUser } = await readWindow(world.store, APP, PERSON)
    return { state, waiting, waitingForUser }
  }
  expect(await counts()).toEqual({ state: 'unknown', waiting: 2, waitingForUser: 0 })
  await work()
  await until(async () => expect((await world.outbox().status(first))?.status).toBe('waiting-for-user'))
  expect(await counts()).toEqual({ state: 'unknown', waiting: 2, waitingForUser: 2 })
  truth.allow(PERSON, 5)
  await acts(world, PERSON)
  await until(async () => expect(await counts()).toEqual({ state: 'open', waiting: 0, waitingForUser: 0 }))
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

it('where the app is paused, it goes when that goes on', async () => {
  await usedUp()
  const [first = ''] = await send(1)
  await work()
  await until(async () => expect((await world.outbox().status(first))?.status).toBe('waiting-for-user'))
  await world.send.pause()
  await acts(world, PERSON)
  expect((await world.outbox().status(first))?.status).toBe('queued')
  expect(truth.taken).toEqual([])
  await world.send.resume()
  await until(() => expect(truth.taken).toEqual([first]))
})

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

describe('when a user never acts', () => {
  const DAY_MS = 86_400_000
  const isWaiting = (id: string) =>
    until(async () => expect((await world.outbox().status(id))?.status).toBe('waiting-for-user'))
  const giveUp = async (): Promise<string[]> => {
    const { burier, dead } = burierOn(world.store)
    await expireMessages(burier, { store: world.store, appid: APP })
    return dead
  }
  /** Two that wait, the first for longer than it may. */
  async function waiting(acceptedAt: number): Promise<{ second: string; since: number }> {
    await usedUp()
    const [first = '', second = ''] = await send(2)
    await work()
    await isWaiting(first)
    await stop()
    const since = Date.now() - 8 * DAY_MS
    await world.redis.hset(keys.sendJob(first), 'awaitsSince', since)
    await world.redis.hset(keys.sendJob(second), 'timestamp', acceptedAt)
    await world.redis.zadd(keys.expiring, since + 7 * DAY_MS, first)
    expect(await giveUp()).toEqual([deadLetterIdOf(first)])
    return { second, since }
  }

  it('what was accepted before its predecessor began to wait ends with it', async () => {
    const { second, since } = await waiting(Date.now() - 9 * DAY_MS)
    expect(await world.redis.hget(keys.sendJob(second), 'awaitsSince')).toBe(String(since))
    // Its sweep at the start may be faster than this one.
    await work()
    await until(async () => {
      await giveUp()
      expect((await world.outbox().status(second))?.status).toBe('dead')
    })
  })

  it('what was accepted later waits from then on', async () => {
    const acceptedAt = Date.now() - 2 * DAY_MS
    const { second } = await waiting(acceptedAt)
    await work()
    await isWaiting(second)
    expect(await world.redis.zscore(keys.expiring, second)).toBe(String(acceptedAt + 7 * DAY_MS))
    expect(await giveUp()).toEqual([])
  })

  it('and the limit was raised since, those of before are looked at again when they would be given up now, and hold up nobody', async () => {
    await usedUp()
    const [long = ''] = await send(1)
    await work()
    await isWaiting(long)
    await stop()
    // As with HOLD_MAX_DAYS=1, two days ago.
    const since = Date.now() - 2 * DAY_MS
    await world.redis.hset(keys.sendJob(long), 'awaitsSince', since)
    const [acted = ''] = await world.accept([text('o-acted')])
    // More than one sweep looks at.
    const before = Array.from({ length: 5000 }, (_, n) => `m-before-${n}`)
    const data = (await world.redis.hget(keys.sendJob(long), 'data')) ?? ''
    const held = { data, timestamp: since, name: 'text', parked: 'user', awaitsSince: since }
    for (const id of before) void world.redis.hset(keys.sendJob(id), held)
    await world.redis.zadd(keys.expiring, ...[long, acted, ...before].flatMap((id) => [since + DAY_MS, id]))
    const [expired = ''] = await world.accept([{ ...text('o-expired'), expiresAt: Date.now() + 1 }])
    expect(await giveUp()).toEqual([])
    expect(await world.redis.zscore(keys.expiring, long)).toBe(String(since + 7 * DAY_MS))
    // It may wait again by then.
    expect(Number(await world.redis.zscore(keys.expiring, acted))).toBeGreaterThan(Date.now())
    expect(await giveUp()).toEqual([deadLetterIdOf(expired)])
  })
})
