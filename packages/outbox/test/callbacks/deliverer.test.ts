// Every event is told at least once: what a deliverer makes of each answer, of its own end, and of a Redis that refuses.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Called } from '../../src/callbacks/deliverer.ts'
import { deliverersIn, FAILED, TAKEN } from '../support/deliverers.ts'
import { whileRefusing } from '../support/refusals.ts'
import { keys, sharedWorld, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
const { add, callbacks, close, deliver } = deliverersIn(() => world)
afterEach(close)

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })

describe('an event', () => {
  it('is told, and kept for a while', async () => {
    const { calls, told } = deliver(() => TAKEN)
    await add('1', '2')
    await until(async () => expect(await callbacks()).toMatchObject({ waiting: 0, delayed: 0, told: 2, hold: null }))
    expect(calls.map(({ id, type, tries }) => [id, type, tries])).toEqual([
      ['c-1-dead', 'message.dead', 0],
      ['c-2-dead', 'message.dead', 0],
    ])
    expect(told.map(({ outcome }) => outcome)).toEqual(['taken', 'taken'])
    await add('3')
    await until(async () => expect(await callbacks()).toMatchObject({ told: 3 }))
  })

  it('is told again under the same id until it is taken, and given up after its last try', async () => {
    const answers = [FAILED, FAILED, TAKEN]
    const first = deliver((event) => (event.id === 'c-1-dead' ? (answers.shift() ?? TAKEN) : FAILED), {
      retryMs: [1, 1, 1],
    })
    await add('1')
    await until(async () => expect(await callbacks()).toMatchObject({ told: 1 }))
    expect(first.calls.map(({ id, tries }) => [id, tries])).toEqual([
      ['c-1-dead', 0],
      ['c-1-dead', 1],
      ['c-1-dead', 2],
    ])
    await add('2')
    await until(async () => expect(await callbacks()).toMatchObject({ givenUp: 1, delayed: 0 }))
    expect(first.told.map(({ outcome }) => outcome).slice(3)).toEqual(['failed', 'failed', 'failed', 'given-up'])
    expect(await world.redis.hget(keys.callbackJob('c-2-dead'), 'failedReason')).toBe('status 500')
  })

  it.each([
    ['as the schedule says', FAILED, 5000],
    ['or later, where the receiver asks for that', { ...FAILED, retryAfterMs: 600_000 }, 600_000],
    ['but never later than the longest pause', { ...FAILED, retryAfterMs: 1e12 }, 86_400_000],
    ['and not earlier', { ...FAILED, retryAfterMs: 1 }, 5000],
  ])('is told again %s', async (_, answer, waitMs) => {
    const { told } = deliver(() => answer as Called)
    await add('1')
    await until(() => expect(told).toHaveLength(1))
    await until(async () => expect(await world.redis.hget(keys.callbackJob('c-1-dead'), 'delay')).toBe(String(waitMs)))
    const score = Number(await world.redis.zscore(keys.callbackDelayed, 'c-1-dead'))
    expect(Math.abs(score / 4096 - Date.now() - waitMs)).toBeLessThan(WAIT_MS)
  })

  it('of a worker that died is told by another when its lease is over', async () => {
    const { promise: never, resolve } = Promise.withResolvers<Called>()
    const dead = deliver(() => never, { leaseMs: 300 })
    await add('1')
    await until(() => expect(dead.calls).toHaveLength(1))
    const other = deliver(() => TAKEN, { leaseMs: 300 })
    await until(async () => expect(await callbacks()).toMatchObject({ told: 1, delayed: 0 }))
    expect(other.calls[0]).toMatchObject({ id: 'c-1-dead', tries: 0 })
    // It had not died, after all, and what it says late changes nothing.
    resolve(FAILED)
    await dead.deliverer.close(new AbortController().signal)
    expect(await callbacks()).toMatchObject({ told: 1, delayed: 0, waiting: 0 })
  })

  it('goes back when the worker ends, and costs it no try', async () => {
    const { deliverer, calls, told } = deliver(
      (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(FAILED))),
    )
    await add('1')
    await until(() => expect(calls).toHaveLength(1))
    await deliverer.close(AbortSignal.timeout(1))
    expect(await callbacks()).toMatchObject({ waiting: 1, delayed: 0 })
    expect(told).toEqual([])
    const next = deliver(() => TAKEN)
    await until(() => expect(next.calls).toMatchObject([{ id: 'c-1-dead', tries: 0 }]))
  })

  it('whose call is under way is waited for when the worker ends', async () => {
    const { promise, resolve } = Promise.withResolvers<Called>()
    const { deliverer, calls } = deliver(() => promise)
    await add('1', '2')
    await until(() => expect(calls).toHaveLength(2))
    const closed = deliverer.close(new AbortController().signal)
    resolve(TAKEN)
    await closed
    expect(await callbacks()).toMatchObject({ told: 2, waiting: 0, delayed: 0 })
  })

  it('that other hands have removed or spoilt is passed over', async () => {
    await add('1', '2', '3')
    await world.redis.del(keys.callbackJob('c-1-dead'))
    await world.redis.set(keys.callbackJob('c-2-dead'), 'x')
    const { calls } = deliver(() => TAKEN)
    await until(async () => expect(await callbacks()).toMatchObject({ waiting: 0, delayed: 0, told: 1 }))
    expect(calls.map(({ id }) => id)).toEqual(['c-3-dead'])
  })

  it('is told sixteen at a time, and by all workers that have room', async () => {
    const waiting: (() => void)[] = []
    const slow = () => new Promise<Called>((resolve) => waiting.push(() => resolve(TAKEN)))
    const first = deliver(slow)
    const second = deliver(slow)
    await add(...Array.from({ length: 40 }, (_, n) => String(n)))
    await until(() => expect([first.calls.length, second.calls.length]).toEqual([16, 16]))
    expect(await callbacks()).toMatchObject({ waiting: 8, delayed: 32 })
    for (const end of waiting.splice(0)) end()
    await until(() => expect(first.calls.length + second.calls.length).toBe(40))
    for (const end of waiting.splice(0)) end()
    await until(async () => expect(await callbacks()).toMatchObject({ told: 40 }))
  })

  it('that is too old when its receiver takes nothing is given up, and that is told', async () => {
    await add('1')
    await world.redis.hset(keys.callbackJob('c-1-dead'), 'timestamp', 1)
    await world.redis.hset(keys.callbackJob('c-2-dead'), { name: 'message.dead', data: '{}', timestamp: 1 })
    await world.redis.zadd(keys.callbackDelayed, 4096, 'c-2-dead')
    const { lost, calls } = deliver(() => TAKEN)
    await until(async () => expect(await callbacks()).toMatchObject({ givenUp: 2, waiting: 0, delayed: 0 }))
    expect(lost).toEqual([{ dropped: 0, tooOld: 2 }])
    expect(calls).toEqual([])
  })

  it('that was dropped is counted by one worker', async () => {
    await world.redis.set(keys.callbackDropped, 7)
    const { lost } = deliver(() => TAKEN)
    await until(() => expect(lost).toEqual([{ dropped: 7, tooOld: 0 }]))
    expect(await world.redis.exists(keys.callbackDropped)).toBe(0)
  })

  it.each(['NOREPLICAS', 'READONLY'] as const)(
    'is told once while Redis refuses to write what its call came to: %s',
    async (how) => {
      const { promise, resolve } = Promise.withResolvers<Called>()
      const { calls, problems } = deliver(() => promise)
      await add('1')
      await until(() => expect(calls).toHaveLength(1))
      await whileRefusing(world.url, { how, ms: 300 }, async () => {
        resolve(TAKEN)
        // Connections leave a server that takes no writes, mostly before it refuses any.
        if (how !== 'READONLY') await until(() => expect(problems.length).toBeGreaterThan(0))
      })
      await until(async () => expect(await callbacks()).toMatchObject({ told: 1, delayed: 0 }))
      expect(calls).toHaveLength(1)
      // One line for all refusals in a row, and the turns of READONLY have a new connection.
      expect(problems.length).toBeLessThan(4)
    },
  )
})
