// A receiver that fails is left alone for a while, and is told again what it has missed.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { expireEvents } from '../../src/callbacks/deliverer.ts'
import { countCallbacks, replayCallbacks, resumeCallbacks } from '../../src/callbacks/operate.ts'
import { deliverersIn, FAILED, GONE, TAKEN } from '../support/deliverers.ts'
import { spoil } from '../support/spoil.ts'
import { APP, keys, sharedWorld, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
const { add, callbacks, close, deliver, turns } = deliverersIn(() => world)
afterEach(close)

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })

describe('a receiver', () => {
  const many = (from: number, count: number) => Array.from({ length: count }, (_, n) => String(from + n))

  it('that fails five times in a row is held: it is tried with one event at a time, after growing pauses', async () => {
    let isWell = false
    const { calls, became, told } = deliver(() => (isWell ? TAKEN : FAILED), { holdMs: 60, holdMsMax: 120 })
    await add(...many(0, 40))
    await until(() => expect(became).toContain('held'))
    const inFirst = calls.length
    expect(inFirst).toBeLessThanOrEqual(16)
    await until(() => expect(became).toEqual(['held', 'again', 'again']))
    expect(calls.length).toBe(inFirst + 2)
    const { hold } = await callbacks()
    expect(hold).toMatchObject({ kind: 'failing', reason: 'status 500' })
    isWell = true
    await until(async () => expect(await callbacks()).toMatchObject({ waiting: 0, hold: null }))
    expect(became.at(-1)).toBe('resumed')
    expect(told.filter(({ outcome }) => outcome === 'taken').length).toBe(40 - inFirst - 2)
  })

  it('that takes one now and then is not held', async () => {
    let n = 0
    const { became, told } = deliver(() => ((n += 1) % 5 === 0 ? TAKEN : FAILED))
    for (const name of many(0, 20)) {
      await add(name)
      await until(() => expect(told.length).toBe(Number(name) + 1))
    }
    expect(became).toEqual([])
  })

  it('that is held wakes nobody with what is added', async () => {
    const { calls, became } = deliver(() => FAILED, { holdMs: 3_600_000, holdMsMax: 3_600_000 })
    await add(...many(0, 5))
    await until(() => expect(became).toEqual(['held']))
    await until(async () => expect(await world.redis.zcard(keys.callbackDelayed)).toBe(5))
    const before = await turns()
    for (const name of many(5, 200)) await add(name)
    expect((await turns()) - before).toBeLessThanOrEqual(1)
    expect(calls).toHaveLength(5)
  })

  it('that is gone gets nothing more until an operator resumes it', async () => {
    const answers = [GONE]
    const first = deliver(() => answers.shift() ?? TAKEN)
    await add('1')
    await until(() => expect(first.became).toEqual(['held']))
    await add('2', '3')
    expect(await callbacks()).toMatchObject({
      waiting: 2,
      delayed: 1,
      hold: { kind: 'gone', reason: 'status 410', until: null },
    })
    await first.deliverer.close(AbortSignal.timeout(0))
    expect(first.calls).toHaveLength(1)
    const before = await turns()
    const other = deliver(() => TAKEN)
    await until(async () => expect(await turns()).toBeGreaterThan(before))
    await other.deliverer.close(AbortSignal.timeout(0))
    expect(other.calls).toEqual([])
    expect(await resumeCallbacks(world.store, APP)).toBe(true)
    expect(await resumeCallbacks(world.store, APP)).toBe(false)
    const next = deliver(() => TAKEN)
    await until(() => expect(next.calls.map(({ id }) => id)).toEqual(['c-2-dead', 'c-3-dead']))
  })

  it('that is gone after failures is not forgotten with them', async () => {
    const answers = [FAILED, GONE]
    const { told, became } = deliver(() => answers.shift() ?? TAKEN)
    await add('1')
    await until(() => expect(told).toHaveLength(1))
    await until(async () => expect(await world.redis.ttl(keys.callbackHold)).toBeGreaterThan(0))
    await add('2')
    await until(() => expect(became).toEqual(['held']))
    expect(await world.redis.ttl(keys.callbackHold)).toBe(-1)
  })

  it('of other settings is tried at once', async () => {
    const first = deliver(() => GONE)
    await add('1')
    await until(() => expect(first.became).toEqual(['held']))
    await first.deliverer.close(AbortSignal.timeout(0))
    await add('2')
    const next = deliver(() => TAKEN, { print: 'other' })
    await until(() => expect(next.calls.map(({ id }) => id)).toEqual(['c-2-dead']))
    expect(next.became).toEqual(['resumed'])
    expect(await callbacks()).toMatchObject({ hold: null })
  })
})

it('that there is no more leaves nothing behind for longer: what was told and what was not goes in its time', async () => {
  const retain = { deliveredMs: 3_600_000, deliveredMax: 1, deadMs: 3_600_000 }
  await add('1', '2', '3', '4')
  await world.redis.hset(keys.callbackJob('c-4-dead'), 'timestamp', 1)
  for (const name of ['1', '2']) {
    await world.redis.lrem(keys.callbackWait, 1, `c-${name}-dead`)
    await world.redis.zadd(keys.callbackCompleted, Date.now(), `c-${name}-dead`)
  }
  await world.redis.rpoplpush(keys.callbackWait, keys.callbackWait)
  await world.redis.hset(keys.callbackHold, { kind: 'gone', print: 'p', since: 1, until: '', reason: 'status 410' })
  await world.redis.set(keys.callbackDropped, 7)
  await expireEvents({ store: world.store, appid: APP, retain })
  expect(await callbacks()).toMatchObject({ told: 1, waiting: 1, givenUp: 1, hold: { kind: 'gone' } })
  // For a worker that has a receiver, if there is one.
  expect(await world.redis.get(keys.callbackDropped)).toBe('7')
})

describe('a replay', () => {
  it('tells again what was told or given up in a time, under the same ids', async () => {
    const first = deliver((event) => (event.id === 'c-2-dead' ? FAILED : TAKEN), { retryMs: [] })
    await add('1', '2')
    await until(async () => expect(await callbacks()).toMatchObject({ told: 1, givenUp: 1 }))
    await first.deliverer.close(AbortSignal.timeout(0))
    const now = world.store.clock.now()
    const replay = { appid: APP, since: now - 60_000, until: now + 60_000, onlyGivenUp: true }
    expect(await countCallbacks(world.store, { ...replay, since: now + 30_000 })).toEqual({ told: 0, givenUp: 0 })
    expect(await countCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 1 })
    expect(await replayCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 1 })
    expect(await replayCallbacks(world.store, { ...replay, onlyGivenUp: false })).toEqual({ told: 1, givenUp: 0 })
    expect(await callbacks()).toMatchObject({ waiting: 2, told: 0, givenUp: 0 })
    const next = deliver(() => TAKEN)
    await until(() =>
      expect(next.calls.map(({ id, tries }) => [id, tries])).toEqual([
        ['c-2-dead', 0],
        ['c-1-dead', 0],
      ]),
    )
    await until(async () => expect(await callbacks()).toMatchObject({ told: 2, waiting: 0 }))
  })

  it('and a word of an operator are done although another program has spoilt the marker', async () => {
    await add('1')
    const first = deliver(() => FAILED, { retryMs: [] })
    await until(async () => expect(await callbacks()).toMatchObject({ givenUp: 1 }))
    await first.deliverer.close(AbortSignal.timeout(0))
    await world.redis.hset(keys.callbackHold, { kind: 'failing', until: Date.now() + 3_600_000 })
    await spoil(world.redis, keys.callbackMarker)
    const replay = { appid: APP, since: 0, until: Date.now() + 60_000, onlyGivenUp: true }
    expect(await replayCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 1 })
    expect(await resumeCallbacks(world.store, APP)).toBe(true)
    expect(await callbacks()).toMatchObject({ waiting: 1, hold: null })
  })

  it('adds no more than may wait', async () => {
    const waiting = Array.from({ length: 1000 }, (_, n) => `c-old-${n}`)
    for (let n = 0; n < 100; n += 1) await world.redis.rpush(keys.callbackWait, ...waiting)
    await world.redis.zadd(keys.callbackFailed, 5, 'c-1-dead')
    const replay = { appid: APP, since: 0, until: 10, onlyGivenUp: false }
    expect(await replayCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 0 })
    expect(await callbacks()).toMatchObject({ waiting: 100_000, givenUp: 1 })
  })
})
