// Every event is told at least once, and a receiver that fails is left alone for a while: what a deliverer makes of each answer, of its own end,
// and of a Redis that refuses.
import { CALLBACK_TYPES } from '@wechat-outbox/messages'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type Called,
  createDeliverer,
  type Deliverer,
  type Pauses,
  type ToldEvent,
} from '../../src/callbacks/deliverer.ts'
import { countCallbacks, readCallbacks, replayCallbacks, resumeCallbacks } from '../../src/callbacks/operate.ts'
import type { TakenEvent } from '../../src/callbacks/turn.ts'
import { whileRefusing } from '../support/refusals.ts'
import { APP, createWorld, keys, WAIT_MS, type World } from '../support/world.ts'

let world: World
const open: Deliverer[] = []
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(() => world.redis.flushall())
afterEach(async () => {
  await Promise.all(open.splice(0).map((deliverer) => deliverer.close(AbortSignal.timeout(0))))
})
afterAll(() => world.close())

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const TAKEN: Called = { kind: 'taken' }
const FAILED: Called = { kind: 'failed', why: 'status 500' }
const GONE: Called = { kind: 'failed', why: 'status 410', isGone: true }
const callbacks = () => readCallbacks(world.store, APP)

/** Adds events as the scripts do. */
async function add(...names: string[]): Promise<void> {
  for (const name of names) {
    const id = `c-${name}-dead`
    const data = JSON.stringify({ id: name, appid: APP })
    await world.redis.hset(keys.callbackJob(id), {
      name: 'message.dead',
      data,
      opts: '{}',
      timestamp: Date.now(),
      delay: 0,
    })
    await world.redis.lpush(keys.callbackWait, id)
  }
  await world.redis.zadd(keys.callbackMarker, 0, '0')
}

interface Watched {
  readonly deliverer: Deliverer
  readonly calls: TakenEvent[]
  readonly told: ToldEvent[]
  readonly became: string[]
  readonly lost: { dropped: number; tooOld: number }[]
  readonly problems: string[]
}

function deliver(
  answer: (event: TakenEvent, signal: AbortSignal) => Called | Promise<Called>,
  { print = 'p', ...pauses }: Partial<Pauses> & { print?: string } = {},
): Watched {
  const watched = { calls: [] as TakenEvent[], told: [] as ToldEvent[], became: [] as string[] }
  const more = { lost: [] as { dropped: number; tooOld: number }[], problems: [] as string[] }
  const deliverer = createDeliverer({
    appid: APP,
    store: world.store,
    sharedWait: world.sharedWait,
    receiver: {
      tells: new Set(CALLBACK_TYPES),
      print,
      async call(event, signal) {
        watched.calls.push(event)
        return answer(event, signal)
      },
      report: {
        told: (one) => watched.told.push(one),
        receiver: ({ became }) => watched.became.push(became),
        lost: (lost) => more.lost.push(lost),
      },
    },
    onProblem: ({ error }) => more.problems.push(error),
    keep: { told: { ms: 3_600_000, count: 100 }, givenUpMs: 3_600_000 },
    pauses,
  })
  deliverer.run()
  open.push(deliverer)
  return { deliverer, ...watched, ...more }
}

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
        await until(() => expect(problems.length).toBeGreaterThan(0))
      })
      await until(async () => expect(await callbacks()).toMatchObject({ told: 1, delayed: 0 }))
      expect(calls).toHaveLength(1)
      // One line for all refusals in a row, and the turns of READONLY have a new connection.
      expect(problems.length).toBeLessThan(4)
    },
  )
})

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

  it('adds no more than may wait', async () => {
    const waiting = Array.from({ length: 1000 }, (_, n) => `c-old-${n}`)
    for (let n = 0; n < 100; n += 1) await world.redis.rpush(keys.callbackWait, ...waiting)
    await world.redis.zadd(keys.callbackFailed, 5, 'c-1-dead')
    const replay = { appid: APP, since: 0, until: 10, onlyGivenUp: false }
    expect(await replayCallbacks(world.store, replay)).toEqual({ told: 0, givenUp: 0 })
    expect(await callbacks()).toMatchObject({ waiting: 100_000, givenUp: 1 })
  })
})

/** Scripts that Redis has run. */
async function turns(): Promise<number> {
  const stats = await world.redis.info('commandstats')
  const [, calls = '0'] = /cmdstat_evalsha:calls=(\d+)/.exec(stats) ?? []
  return Number(calls)
}
