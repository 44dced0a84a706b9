// Events and keys in states that the deliverer did not bring about by itself: old ones, a full Redis, what another program has spoilt.
import { CALLBACK_TYPES } from '@wechat-outbox/messages'
import { afterEach, expect, it, vi } from 'vitest'
import { replayCallbacks } from '../../src/callbacks/operate.ts'
import { deliverersIn, FAILED, TAKEN } from '../support/deliverers.ts'
import { createHand, SILENT } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { APP, DELIVERED, keys, memberOf, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
const { add, callbacks, close, deliver } = deliverersIn(() => world)
afterEach(close)

/** As a score of delayed jobs. */
const dueNow = (): number => (Date.now() - 1000) * 4096
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })

it('an event that became true long ago is told when it is replayed', async () => {
  await add('1')
  await world.redis.hset(keys.callbackJob('c-1-dead'), 'timestamp', 1)
  const first = deliver(() => TAKEN)
  await until(async () => expect(await callbacks()).toMatchObject({ waiting: 0, givenUp: 1 }))
  expect(first.calls).toEqual([])
  const replay = { appid: APP, since: 0, until: Date.now() + 60_000, onlyGivenUp: true }
  expect(await replayCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 1 })
  await until(async () => expect(await callbacks()).toMatchObject({ told: 1, givenUp: 0 }))
  // The body says when it became true, as before.
  expect(first.calls).toMatchObject([{ id: 'c-1-dead', at: 1 }])
})

it('a full Redis lets those be told that it has', async () => {
  await add('1')
  const id = 'c-1-dead'
  await world.redis.lrem(keys.callbackWait, 1, id)
  await world.redis.zadd(keys.callbackDelayed, dueNow(), id)
  await world.redis.config('SET', 'maxmemory', '1')
  try {
    const { calls } = deliver(() => TAKEN)
    await until(async () => expect(await callbacks()).toMatchObject({ told: 1, delayed: 0 }))
    expect(calls).toHaveLength(1)
  } finally {
    await world.redis.config('SET', 'maxmemory', '0')
  }
})

it('events that their receiver refuses do not keep it from the newest, which it takes', async () => {
  const refused = Array.from({ length: 20 }, (_, n) => `no-${n}`)
  await add(...refused, 'yes')
  const { calls } = deliver(({ id }) => (id.startsWith('c-no-') ? FAILED : TAKEN), { holdMs: 20, holdMsMax: 20 })
  await until(async () => expect(await callbacks()).toMatchObject({ told: 1 }))
  // Sixteen were under way when the receiver was held for them.
  expect(calls.findIndex(({ id }) => id === 'c-yes-dead')).toBe(16)
})

it('an event of which no call can be made is given up, and says nothing about the receiver', async () => {
  const names = ['1', '2', '3', '4', '5', '6']
  const { calls, told, became } = deliver(({ id }) =>
    id === 'c-6-dead' ? TAKEN : { kind: 'unreadable', why: 'the event cannot be read' },
  )
  await add(...names)
  await until(async () => expect(await callbacks()).toMatchObject({ told: 1, givenUp: 5, hold: null }))
  expect(calls).toHaveLength(6)
  expect(became).toEqual([])
  expect(told.filter(({ outcome }) => outcome === 'given-up')).toHaveLength(5)
})

it('ids of which somebody has removed the hash leave nothing, and count as no loss', async () => {
  const { lost } = deliver(() => TAKEN)
  await world.redis.lpush(keys.callbackWait, 'c-gone-dead')
  await world.redis.zadd(keys.callbackDelayed, 1, 'c-gone-too')
  await world.redis.zadd(keys.callbackDelayed, dueNow(), 'c-gone-now')
  await add('1')
  await until(async () => expect(await callbacks()).toMatchObject({ told: 1, waiting: 0, delayed: 0, givenUp: 0 }))
  expect(lost).toEqual([])
  expect(
    await world.redis.exists(
      keys.callbackJob('c-gone-dead'),
      keys.callbackJob('c-gone-too'),
      keys.callbackJob('c-gone-now'),
    ),
  ).toBe(0)
})

it('a message has its event although the rest of the step fails, and is repeated', async () => {
  const troubles: unknown[] = []
  const again = Promise.withResolvers<void>()
  const report = {
    ...SILENT,
    unsettled: (trouble: unknown) => {
      troubles.push(trouble)
      again.resolve()
    },
  }
  const [id = ''] = await world.accept([text('oA')])
  const held = await createHand(world, { tells: new Set(CALLBACK_TYPES), report }).fetch()
  await held.run.admit(memberOf(held.run))
  // A job is due, and another program has spoilt the list where it is to go: promoting it fails.
  await world.redis.hset(keys.sendJob('due'), 'name', 'due')
  await world.redis.zadd(keys.sendDelayed, 1, 'due')
  const mend = await spoil(world.redis, keys.sendWait)
  const settled = held.settle(DELIVERED, true)
  await again.promise
  await mend()
  await settled
  expect(await world.redis.lrange(keys.callbackWait, '0', '-1')).toEqual([`c-${id.slice(2)}-delivered`])
})
