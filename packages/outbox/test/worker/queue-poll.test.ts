import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { DEAD_LETTER_QUEUE, SEND_QUEUE } from '../../src/redis/keys.ts'
import { openStore, type Store } from '../../src/redis/store.ts'
import { createQueuePoll, type QueuePoll, type QueuePollOptions } from '../../src/worker/queue-poll.ts'
import { APP, createWorld, keys, text, type World } from '../support/world.ts'

let world: World
let proxy: TcpProxy
let redis: RedisClient
let store: Store
let poll: QueuePoll
const pollFor = (options: Partial<QueuePollOptions> = {}): QueuePoll =>
  createQueuePoll({
    appid: APP,
    store,
    sharedWait: undefined,
    everyMs: 20,
    stalledIntervalMs: 60_000,
    mayTakeOver: () => true,
    onError: () => undefined,
    ...options,
  })
beforeAll(async () => {
  world = await createWorld()
  proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  redis = connectRedis(proxy.url('redis'), 'work')
  redis.on('error', () => undefined)
  await whenReady(redis, 5000)
  store = await openStore(redis)
  poll = pollFor()
  poll.start()
})
afterEach(() => world.redis.flushdb())
afterAll(async () => {
  poll.stop()
  redis.disconnect()
  await proxy.close()
  await world.close()
})

const sees = (send: boolean, dead: boolean): Promise<void> =>
  vi.waitFor(() => expect([poll.sawWork(SEND_QUEUE), poll.sawWork(DEAD_LETTER_QUEUE)]).toEqual([send, dead]), 20_000)

it('sees messages that wait, and none while the queue is paused', async () => {
  await sees(false, false)
  await world.outbox().send(text('o-waits'))
  await sees(true, false)
  await world.send.pause()
  await sees(false, false)
})

it('sees a message that is due and that nobody fetches', async () => {
  await world.outbox().send({ ...text('o-later'), sendAt: Date.now() + 300_000 })
  await world.outbox().send(text('o-now'))
  await sees(true, false)
  await world.redis.del(keys.sendWait)
  await sees(false, false)
  await world.outbox().send({ ...text('o-due'), sendAt: Date.now() + 50 })
  await sees(true, false)
})

it('sees nothing in an app at its rate, nor in one whose only message that may be fetched is being probed with', async () => {
  await world.outbox().sendMany([text('o-waits'), { ...text('o-due'), sendAt: Date.now() + 50 }])
  await sees(true, false)
  await world.redis.set(`${keys.sendJobs}limiter`, '1', 'PX', 60_000)
  await sees(false, false)
  await world.redis.del(`${keys.sendJobs}limiter`)
  await sees(true, false)
  await world.redis.hset(`${keys.sendJobs}meta`, 'concurrency', '1')
  await world.redis.lpush(keys.sendActive, 'the probe')
  await sees(false, false)
})

it('sees dead letters that somebody wants to have replayed', async () => {
  await world.dead.add('text', {}, { jobId: 'd-one' })
  await sees(false, true)
})

it('sees nothing any more once Redis has fallen silent', { timeout: 60_000 }, async () => {
  await world.outbox().send(text('o-waits'))
  await sees(true, false)
  proxy.stall(true)
  await sees(false, false)
  proxy.stall(false)
  await sees(true, false)
})

it('sees nothing any more once Redis has fallen silent in the middle of a look', { timeout: 60_000 }, async () => {
  await world.outbox().send(text('o-waits'))
  // The silence begins between what the look asks and the measure of the clock.
  const measure = (): Promise<void> => {
    proxy.stall(true)
    return store.clock.measure()
  }
  const measuring = pollFor({ store: { ...store, clock: { ...store.clock, measure } }, measureEveryMs: 0 })
  onTestFinished(() => {
    measuring.stop()
    proxy.stall(false)
  })
  measuring.start()
  await vi.waitFor(() => expect(measuring.sawWork(SEND_QUEUE)).toBe(true), 20_000)
  await vi.waitFor(() => expect(measuring.sawWork(SEND_QUEUE)).toBe(false), 20_000)
})
