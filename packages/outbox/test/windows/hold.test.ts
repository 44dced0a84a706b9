// Messages that wait for their user: none is sent in vain where the ledger knows better, an action lets exactly as many go as it
// allows, in order, and nothing that was accepted is lost or stuck on the way.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readBacklog } from '../../src/lanes/backlog.ts'
import { expireMessages } from '../../src/lanes/expire.ts'
import { healLanes } from '../../src/lanes/heal.ts'
import { inspectLanes } from '../../src/lanes/inspect.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import type { Settlement } from '../../src/worker/run.ts'
import { burierOn } from '../support/dead.ts'
import { createHand } from '../support/hand.ts'
import { acts, createTruth, type Truth } from '../support/windows.ts'
import { APP, ASKING, createWorld, keys, memberOf, text, WAIT_MS, type World } from '../support/world.ts'

const PERSON = 'o-hold'
const AWAITING = keys.sendAwaitingUser

let world: World
let truth: Truth
let consumers: Consumer[] = []
beforeAll(async () => void (world = await createWorld()))
beforeEach(async () => {
  await world.redis.flushall()
  truth = createTruth()
})
afterEach(async () => {
  await Promise.all(consumers.map((one) => one.close(1000)))
  consumers = []
})
afterAll(() => world.close())

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const status = async (id: string) => (await world.outbox().status(id))?.status
const send = async (count: number, touser = PERSON, more: object = { onClosed: 'hold' }): Promise<string[]> =>
  world.accept(Array.from({ length: count }, (_, n) => ({ ...text(touser, `n${n}`), ...more })))
async function work(options: Parameters<World['consumer']>[1] = {}) {
  const started = await world.consumer(truth.deliver, options)
  consumers.push(started.consumer)
  return started
}
const waitsFor = (id: string) => until(async () => expect(await status(id)).toBe('waiting-for-user'))
const usedUp = async (touser = PERSON) => {
  await acts(world, touser)
  await world.redis.hset(keys.window(touser), 'used', 5)
}
/** By Redis's clock a call and an action of the same millisecond have no order. */
async function actsLater(): Promise<void> {
  const [id = ''] = await world.redis.lrange(keys.lane(PERSON), '0', '0')
  const calledAt = Number.parseInt((await world.redis.hget(keys.sendJob(id), 'sending')) ?? '', 10)
  await until(async () => {
    await acts(world, PERSON)
    expect(Number(await world.redis.hget(keys.window(PERSON), 'recorded'))).toBeGreaterThan(calledAt)
  })
}
const fields = (id: string, ...names: string[]) => world.redis.hmget(keys.sendJob(id), ...names)

describe.each([
  ['a turn that comes with the fetch', {}],
  ['a turn that is asked for', ASKING],
  ['a rate, for which BullMQ fetches', { maxPerSecond: 10_000 }],
])('with %s, a message that may wait for its user', (_how, options) => {
  it('is not sent while the ledger knows that nothing is taken, and goes with the next action', async () => {
    await usedUp()
    const [first = '', second = ''] = await send(2)
    await work(options)
    await waitsFor(first)
    expect(await status(second)).toBe('held')
    expect(await readBacklog(world.store, APP, Date.now())).toMatchObject({ waitingForUser: 1, oldestSince: null })
    expect(truth.taken).toEqual([])
    await acts(world, PERSON)
    await until(() => expect(truth.taken).toEqual([first, second]))
    expect(truth.refused).toEqual([])
    await until(async () => expect(await world.redis.hget(keys.window(PERSON), 'used')).toBe('2'))
    expect(await world.redis.exists(AWAITING)).toBe(0)
  })

  it('waits when WeChat says so, loses no try, and its followers wait behind it', async () => {
    truth.allow(PERSON, 0)
    const [first = '', second = ''] = await send(2)
    await work(options)
    await waitsFor(first)
    expect(await status(second)).toBe('held')
    const report = await world.outbox().status(first)
    expect(report?.attempts).toMatchObject([{ outcome: 'waiting-for-user', errcode: 45015 }])
    expect(Date.parse(report?.waitingSince ?? '')).toBeGreaterThanOrEqual(Date.parse(report?.acceptedAt ?? ''))
    expect(await fields(first, 'atm', 'sending')).toEqual([null, ''])
    truth.allow(PERSON, 5)
    await acts(world, PERSON)
    await until(() => expect(truth.taken).toEqual([first, second]))
    expect(truth.refused).toEqual([first])
  })

  it('lets exactly as many go as the window allows, in order, and the rest with the next action', async () => {
    await usedUp()
    const ids = await send(12)
    const { disagreements } = await work(options)
    for (const count of [5, 10, 12]) {
      await waitsFor(ids[count === 12 ? 10 : count - 5] ?? '')
      truth.allow(PERSON, 5)
      await acts(world, PERSON)
      await until(() => expect(truth.taken).toEqual(ids.slice(0, count)))
    }
    expect(truth.refused).toEqual([])
    expect(disagreements).toEqual([])
    await until(async () => expect(await world.redis.keys('*:lane:*')).toEqual([]))
  })

  it('is tried every six hours, whatever the ledger says', async () => {
    await usedUp()
    const [id = ''] = await send(1)
    await work(options)
    await waitsFor(id)
    const due = Number(await world.redis.zscore(keys.sendDelayed, id)) / 0x1000
    expect(due - Date.now()).toBeGreaterThan(5.9 * 3_600_000)
    expect(due - Date.now()).toBeLessThan(6.1 * 3_600_000)
    await world.redis.zadd(keys.sendDelayed, 1, id)
    await world.redis.zadd(keys.sendMarker, 0, '0')
    await until(() => expect(truth.taken).toEqual([id]))
    expect(await world.redis.exists(AWAITING)).toBe(0)
  })
})

describe('WeChat is the truth', () => {
  it('when it takes what the ledger thought closed: the record goes, and it is counted', async () => {
    await usedUp()
    const [id = ''] = await send(1, PERSON, {})
    const { disagreements } = await work()
    await until(() => expect(truth.taken).toEqual([id]))
    await until(() => expect(disagreements).toEqual(['taken-though-closed']))
    expect(await world.redis.exists(keys.window(PERSON))).toBe(0)
  })

  it('when it refuses what the ledger thought open: nothing more is tried, and it is counted', async () => {
    await acts(world, PERSON, 'message', { at: Date.now() - 60_000 })
    await world.redis.hset(keys.window(PERSON), 'used', 1)
    truth.allow(PERSON, 0)
    const [first = '', second = ''] = await send(2, PERSON, {})
    const { disagreements, dead } = await work()
    await until(() => expect(dead.map(({ id }) => id)).toEqual([first, second].map(deadLetterIdOf)))
    expect(disagreements).toEqual(['refused-though-open'])
    const [held = ''] = await send(1)
    await waitsFor(held)
    expect(truth.refused).toEqual([first, second])
  })

  it.each([
    ['that may wait', { onClosed: 'hold' }],
    ['that would die', {}],
  ])('unless the user acts while a call is open: a message %s is sent again at once', async (_what, policy) => {
    truth.allow(PERSON, 0)
    truth.duringCall = async () => {
      truth.duringCall = () => Promise.resolve()
      await actsLater()
      truth.allow(PERSON, 5)
    }
    const [id = ''] = await send(1, PERSON, policy)
    const { dead } = await work()
    await until(() => expect(truth.taken).toEqual([id]))
    expect(truth.refused).toEqual([id])
    expect(dead).toEqual([])
    expect((await world.outbox().status(id))?.attempts).toHaveLength(2)
    expect(await fields(id, 'atm', 'early')).toEqual(['1', null])
  })

  it('a message that it takes while the user acts counts as none of the new window', async () => {
    await acts(world, PERSON, 'message', { at: Date.now() - 60_000 })
    truth.duringCall = () => actsLater()
    await send(1)
    await work()
    await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(1))
    expect(await world.redis.hget(keys.window(PERSON), 'used')).toBe('0')
  })

  it('but it may hear of an action later than we do: the first reply is tried again', async () => {
    await acts(world, PERSON)
    truth.allow(PERSON, 0)
    const [id = ''] = await send(1, PERSON, {})
    const { dead } = await work()
    await until(() => expect(truth.refused).toEqual([id]))
    truth.allow(PERSON, 5)
    await until(() => expect(truth.taken).toEqual([id]))
    expect(dead).toEqual([])
  })

  it('and takes some replies under the older count meanwhile: the new one begins when it has heard', async () => {
    await acts(world, PERSON)
    truth.allow(PERSON, 2)
    const ids = await send(7)
    const { disagreements } = await work()
    await until(() => expect(truth.refused).toEqual(ids.slice(2, 3)))
    truth.allow(PERSON, 5)
    await until(() => expect(truth.taken).toEqual(ids))
    expect([truth.refused.length, disagreements]).toEqual([1, []])
  })
})

describe('a wait', () => {
  it('does not begin when the user has acted since the ledger was asked', async () => {
    await usedUp()
    const [id = ''] = await send(1)
    await world.redis.hdel(keys.sendJob(id), 'onClosed')
    const hand = createHand(world)
    const held = await hand.fetch()
    await world.redis.hset(keys.sendJob(id), 'onClosed', 'hold')
    const turn = await held.run.admit(memberOf(held.run))
    expect(turn).toEqual({ kind: 'await-user', attempts: [] })
    await acts(world, PERSON)
    expect(await held.settle(turn as Settlement)).toMatchObject({ outcome: 'done' })
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([id])
    expect(await world.redis.exists(AWAITING)).toBe(0)
  })

  it('ends with the message’s own end, and its followers go on', async () => {
    await usedUp()
    const [cancelled = '', next = ''] = await send(2)
    await work()
    await waitsFor(cancelled)
    expect(await world.outbox().cancel(cancelled)).toBe('cancelled')
    await waitsFor(next)
    expect(await world.redis.zrange(AWAITING, '0', '-1')).toEqual([next])
    await acts(world, PERSON)
    await until(() => expect(truth.taken).toEqual([next]))
  })

  it('ends after HOLD_MAX_DAYS, unless the user has acted meanwhile', async () => {
    await usedUp('o-gone')
    await usedUp('o-back')
    const [gone = ''] = await send(1, 'o-gone')
    const [back = ''] = await send(1, 'o-back')
    const { consumer } = await work({ closedRule: { onClosed: 'dead-letter', holdMaxMs: 50_000 } })
    await Promise.all([gone, back].map(waitsFor))
    const since = await Promise.all([gone, back].map((id) => world.redis.hget(keys.sendJob(id), 'awaitsSince')))
    expect(await world.redis.zmscore(keys.expiring, gone, back)).toEqual(since.map((at) => `${Number(at) + 50_000}`))
    await consumer.close(1000)
    await acts(world, 'o-back')
    for (const id of [gone, back]) {
      await world.redis.hset(keys.sendJob(id), 'awaitsSince', 1)
      await world.redis.zadd(keys.expiring, 1, id)
    }
    const { burier, dead } = burierOn(world.store)
    expect(await expireMessages(burier, { store: world.store, appid: APP })).toBe(1)
    expect(dead).toEqual([deadLetterIdOf(gone)])
    expect(await world.redis.exists(AWAITING)).toBe(0)
    await work()
    await until(() => expect(truth.taken).toEqual([back]))
  })

  it('is one for messages without a policy of their own where the workers say so', async () => {
    await usedUp()
    const [plain = ''] = await send(1, PERSON, {})
    const [firm = ''] = await send(1, 'o-firm', { onClosed: 'dead-letter' })
    await usedUp('o-firm')
    truth.allow('o-firm', 0)
    const { dead } = await work({ closedRule: { onClosed: 'hold', holdMaxMs: 60_000 } })
    await waitsFor(plain)
    await until(() => expect(dead.map(({ id }) => id)).toEqual([deadLetterIdOf(firm)]))
  })

  it('survives a replay: the message waits again', async () => {
    const [id = ''] = await send(1)
    truth.allow(PERSON, 0)
    const { consumer } = await work()
    await waitsFor(id)
    await consumer.close(1000)
    await world.redis.hset(keys.sendJob(id), 'awaitsSince', 1)
    await world.redis.zadd(keys.expiring, 1, id)
    const { burier } = burierOn(world.store)
    await expireMessages(burier, { store: world.store, appid: APP })
    await (await world.dead.getJob(deadLetterIdOf(id)))?.retry()
    await usedUp()
    await work()
    await waitsFor(`${id}-1`)
    expect(await fields(`${id}-1`, 'onClosed')).toEqual(['hold'])
  })

  it('is over when somebody removes the message by hand: the next one of the lane has its turn, and nobody is counted', async () => {
    await usedUp()
    const [removed = '', next = ''] = await send(2)
    const { consumer } = await work()
    await waitsFor(removed)
    await consumer.close(1000)
    await (await world.send.getJob(removed))?.remove()
    expect(await world.redis.zrange(AWAITING, '0', '-1')).toEqual([removed])
    await healLanes(world.store, APP, 0)
    expect(await world.redis.exists(AWAITING)).toBe(0)
    await work()
    await waitsFor(next)
  })

  it('is sound to whoever looks after lanes', async () => {
    await usedUp()
    const [first = ''] = await send(3)
    await work()
    await waitsFor(first)
    const problems = []
    for await (const problem of inspectLanes(world.store, { appid: APP })) problems.push(problem)
    expect(problems).toEqual([])
  })
})
