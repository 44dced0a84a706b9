// One settlement that Redis refuses by itself, many at once, and the end of a worker while Redis refuses.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { REDIS_ERRORS } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFatedRedis, type FatedRedis } from '../support/fated.ts'
import { giveStalledBack, type Held } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { createWorld, DELIVERED, dies, keys, memberOf, retry, text, WAIT_MS, type World } from '../support/world.ts'

let world: World
let fated: FatedRedis
beforeAll(async () => {
  world = await createWorld()
  fated = await createFatedRedis(world)
})
beforeEach(() => world.redis.flushall())
afterAll(async () => {
  await fated.close()
  await world.close()
})

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const ids = (key: string): Promise<string[]> => world.redis.lrange(key, '0', '-1')
const completed = (): Promise<string[]> => world.redis.zrange(keys.sendCompleted, '0', '-1')
const settledField = (id: string): Promise<string | null> => world.redis.hget(keys.sendJob(id), 'settled')
const REFUSED = { refuse: REDIS_ERRORS.NOREPLICAS } as const

describe('a settlement that Redis refuses by itself', () => {
  it('leaves the others of its script alone, and is repeated until its key is mended', async () => {
    await world.accept(['o-spoilt', 'o-2', 'o-3', 'o-4'].map((one) => text(one)))
    const hand = fated.hand('one')
    const runs = [await hand.fetch(), await hand.fetch(), await hand.fetch(), await hand.fetch()]
    const [spoilt, delivered, snoozed, dying] = runs as [Held, Held, Held, Held]
    const mend = await spoil(world.redis, keys.lane('o-spoilt'))
    let isSettled = false
    const settling = spoilt.settle(DELIVERED).finally(() => (isSettled = true))
    expect(
      await Promise.all([delivered.settle(DELIVERED), snoozed.settle(retry(60_000)), dying.settle(dies())]),
    ).toEqual([1, 2, 3].map(() => expect.objectContaining({ outcome: 'done' })))
    expect(await completed()).toEqual([delivered.id])
    expect(await world.redis.zrange(keys.sendDelayed, '0', '-1')).toEqual([snoozed.id])
    expect(await (await world.dead.getJob(deadLetterIdOf(dying.id)))?.getState()).toBe('failed')
    expect(hand.settler.trouble()).toMatchObject({ error: expect.stringContaining('WRONGTYPE'), pending: 1 })
    // Others are settled meanwhile, and it still waits.
    const [again = ''] = await world.accept([text('o-again')])
    expect(await (await hand.fetch()).settle(DELIVERED)).toMatchObject({ outcome: 'done' })
    expect([isSettled, await settledField(spoilt.id), hand.settler.trouble()?.pending]).toEqual([false, null, 1])
    await mend()
    expect(await settling).toMatchObject({ outcome: 'done' })
    expect((await completed()).toSorted()).toEqual([delivered.id, again, spoilt.id].toSorted())
    // With nothing else to do, it is known that all is well.
    expect(hand.settler.trouble()).toBeUndefined()
    expect(hand.said).toEqual([expect.objectContaining({ pending: 1 }), 'settled again'])
  })

  it.each([
    ['the lanes with parked messages', keys.parkedLanes],
    ['what was delivered', keys.sendCompleted],
    ['what is delayed', keys.sendDelayed],
    ['the dead letters', keys.deadFailed],
    ['the events', keys.sendEvents],
    ['the marker', keys.sendMarker],
    ['what is stalled', keys.sendStalled],
    ['what expires', keys.expiring],
  ])('because a key of the whole app is spoilt, %s, holds once when that is mended', async (_what, key) => {
    const people = ['o-1', 'o-2', 'o-3']
    const expiresAt = Date.now() + 3_600_000
    const heads = await world.accept(people.map((one) => ({ ...text(one), expiresAt })))
    const hand = fated.hand('app')
    const runs = [await hand.fetch(), await hand.fetch(), await hand.fetch()] as [Held, Held, Held]
    const followers = await world.accept(people.map((one) => text(one)))
    const mend = await spoil(world.redis, key)
    const settling = Promise.all(
      [DELIVERED, retry(60_000), dies()].map((settlement, n) => (runs[n] as Held).settle(settlement)),
    )
    // What nobody's end depends on is passed over.
    await Promise.race([settling, until(() => expect(hand.settler.trouble()).toBeDefined())])
    await mend()
    await settling
    const [delivered = '', snoozed = '', dead = ''] = heads
    expect(await completed()).toEqual([delivered])
    expect(await world.redis.zscore(keys.sendDelayed, snoozed)).not.toBeNull()
    expect(await world.redis.hmget(keys.sendJob(snoozed), 'atm', 'sending')).toEqual(['1', ''])
    expect(await world.redis.zrange(keys.deadFailed, '0', '-1')).toEqual([deadLetterIdOf(dead)])
    expect(await world.redis.exists(keys.sendJob(dead))).toBe(0)
    expect(await ids(keys.sendActive)).toEqual([])
    // Those behind the two that have ended wait to be fetched, each once.
    expect(new Set(await ids(keys.sendWait))).toEqual(new Set([followers[0], followers[2]]))
    expect(await world.redis.llen(keys.sendWait)).toBe(2)
    expect(hand.settler.trouble()).toBeUndefined()
  })

  it.each([
    ['its lane', keys.lane('o-1')],
    ['the lanes with parked messages', keys.parkedLanes],
    ['what is delayed', keys.sendDelayed],
    ['what waits', keys.sendWait],
    ['what is active', keys.sendActive],
    ['what is stalled', keys.sendStalled],
    ['what expires', keys.expiring],
  ])('makes no letter of a message that is still open, where %s is spoilt', async (_what, key) => {
    const [id = ''] = await world.accept([text('o-1')])
    const hand = fated.hand('dying')
    const held = await hand.fetch()
    const [behind = ''] = await world.accept([text('o-1')])
    const letter = keys.deadJob(deadLetterIdOf(id))
    const mend = await spoil(world.redis, key)
    const settling = held.settle(dies())
    await until(() => expect(hand.settler.trouble()).toMatchObject({ error: expect.stringContaining('WRONGTYPE') }))
    expect(await world.redis.exists(letter)).toBe(0)
    expect(await world.redis.exists(keys.sendJob(id))).toBe(1)
    await mend()
    expect(await settling).toMatchObject({ outcome: 'done' })
    expect(await world.redis.exists(letter)).toBe(1)
    expect(await ids(keys.sendWait)).toEqual([behind])
  })
})

it('a settlement that Redis refuses by itself keeps its message and its mark when an answer is lost', async () => {
  const [id = '', other = ''] = await world.accept([text('o-spoilt'), text('o-other')])
  const hand = fated.hand('cut')
  const held = await hand.fetch()
  const mend = await spoil(world.redis, keys.lane('o-spoilt'))
  const settling = held.settle(DELIVERED, true)
  await until(() => expect(hand.settler.trouble()).toBeDefined())
  const calls = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1] ?? 0)
  hand.meets(['lose-reply'])
  const connection = fated.store.connection()
  await until(() => expect(fated.store.connection()).not.toBe(connection))
  // The script that was asked again, what may follow it, and one more look.
  const before = await calls()
  await until(async () => expect(await calls()).toBeGreaterThan(before + 2))
  expect([await ids(keys.sendActive), await ids(keys.sendWait)]).toEqual([[id], [other]])
  expect(await world.redis.hget(keys.sendJob(id), 'sending')).toContain('cut:1')
  await mend()
  expect(await settling).toMatchObject({ outcome: 'done', fetched: { id: other } })
  expect(await completed()).toEqual([id])
})

describe('many settlements at once', () => {
  it('go in scripts of fifty, and each finds its own answer', async () => {
    const people = Array.from({ length: 120 }, (_, n) => `o-${n}`)
    const accepted = await world.accept(people.map((one) => text(one)))
    const hand = fated.hand('many')
    const runs: Held[] = []
    for (const _ of people) runs.push(await hand.fetch())
    const more = await world.accept(people.slice(0, 60).map((one) => text(`${one}-more`)))
    const count = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1] ?? 0)
    const before = await count()
    hand.meets([REFUSED, REFUSED])
    const settled = await Promise.all(runs.map((run) => run.settle(DELIVERED, true)))
    expect(settled.every(({ outcome }) => outcome === 'done')).toBe(true)
    expect((await completed()).toSorted()).toEqual(accepted.toSorted())
    const fetched = settled.flatMap((one) => one.fetched?.id ?? [])
    expect(fetched.toSorted()).toEqual(more.toSorted())
    // Two of the three were refused and came again; a refused one does not reach Redis.
    expect((await count()) - before).toBe(3)
  })
})

describe('a settlement whose run has lost its message meanwhile', () => {
  it('is given up only when another run has the message', async () => {
    const [id = ''] = await world.accept([text('o-one')])
    const hand = fated.hand('slow')
    const slow = await hand.fetch()
    hand.meets([REFUSED], 'for ever')
    const settling = slow.settle(retry(1))
    await until(() => expect(hand.settler.trouble()).toBeDefined())
    await world.redis.del(keys.sendLock(id))
    await giveStalledBack(world)
    const other = await fated.hand('other').fetch()
    expect(await other.run.admit(memberOf(other.run))).toMatchObject({ kind: 'go', tries: 1 })
    hand.meets([])
    expect(await settling).toMatchObject({ outcome: 'gone' })
    expect(await world.redis.hmget(keys.sendJob(id), 'stacktrace', 'atm')).toEqual([null, '1'])
    expect(await other.settle(DELIVERED)).toMatchObject({ outcome: 'done' })
    expect(await completed()).toEqual([id])
  })
})

describe('a worker that ends while Redis refuses', () => {
  it('has ended once Redis has taken everything, and fetches nothing with it', async () => {
    const [first = '', second = ''] = await world.accept([text('o-1'), text('o-2')])
    const hand = fated.hand('ending')
    const held = await hand.fetch()
    hand.meets([REFUSED], 'for ever')
    const settling = held.settle(DELIVERED, true)
    const fetching = hand.settler.settle({ kind: 'fetch', id: '', token: 'ending:more', fetches: true })
    await until(() => expect(hand.settler.trouble()).toMatchObject({ pending: 1 }))
    let isClosed = false
    const closing = hand.settler.close().then(() => (isClosed = true))
    expect((await fetching).fetched).toBeUndefined()
    expect(isClosed).toBe(false)
    hand.meets([])
    expect(await settling).toMatchObject({ outcome: 'done', fetched: undefined })
    await closing
    expect([await completed(), await ids(keys.sendWait)]).toEqual([[first], [second]])
  })

  it('with one settlement that is refused by itself fetches nothing with that either', async () => {
    const [first = '', second = ''] = await world.accept([text('o-1'), text('o-2')])
    const hand = fated.hand('ending')
    const held = await hand.fetch()
    const mend = await spoil(world.redis, keys.lane('o-1'))
    const settling = held.settle(DELIVERED, true)
    await until(() => expect(hand.settler.trouble()).toBeDefined())
    const closing = hand.settler.close()
    await mend()
    expect(await settling).toMatchObject({ outcome: 'done', fetched: undefined })
    await closing
    expect([await completed(), await ids(keys.sendWait)]).toEqual([[first], [second]])
  })

  it('gives up what is left when its time is over, says of none that it holds, and repeats nothing', async () => {
    const heads = await world.accept(['o-1', 'o-2'].map((one) => text(one)))
    const hand = fated.hand('given-up')
    const runs = [await hand.fetch(), await hand.fetch()] as [Held, Held]
    const mend = await spoil(world.redis, keys.lane('o-1'))
    const byItself = runs[0].settle(dies())
    await until(() => expect(hand.settler.trouble()).toBeDefined())
    hand.meets([REFUSED], 'for ever')
    const asAWhole = runs[1].settle(dies())
    await until(() => expect(hand.settler.trouble()).toMatchObject({ pending: 2 }))
    const closing = hand.settler.close()
    hand.settler.abandon()
    for (const settled of await Promise.all([byItself, asAWhole])) expect(settled.outcome).toBe('gone')
    await closing
    await mend()
    hand.meets([])
    const closedAt = performance.now()
    // Longer than any of its waits.
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(closedAt + 1000), {
      timeout: WAIT_MS,
      interval: 100,
    })
    expect(await world.redis.exists(...heads.map((id) => keys.sendJob(id)))).toBe(2)
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
  })
})

describe('a worker with a settlement that Redis refuses by itself', () => {
  it('takes over the messages of workers that died all the same, after a while', async () => {
    const [spoilt = '', left = ''] = await world.accept([text('o-spoilt'), text('o-left')])
    const hand = fated.hand('died')
    const [first, second] = [await hand.fetch(), await hand.fetch()]
    expect([first.id, second.id]).toEqual([spoilt, left])
    const [own = ''] = await world.accept([text('o-own')])
    const sent: string[] = []
    const takenAtMs: number[] = []
    const mended = Promise.withResolvers<() => Promise<unknown>>()
    const { consumer } = await world.consumer(
      async (run) => {
        const turn = await run.admit(memberOf(run))
        if (turn.kind !== 'go') return turn
        sent.push(run.id)
        if (run.id === own) mended.resolve(await spoil(world.redis, keys.lane('o-own')))
        else takenAtMs.push(performance.now())
        return DELIVERED
      },
      { stalledAfterMs: 1000 },
    )
    await until(() => expect(consumer.trouble()).toMatchObject({ pending: 1 }))
    const { sinceMs = 0 } = consumer.trouble() ?? {}
    // The worker that holds both dies now; the one that comes after it has trouble of its own.
    await world.redis.del(keys.sendLock(spoilt), keys.sendLock(left))
    await until(async () => expect((await completed()).toSorted()).toEqual([spoilt, left].toSorted()))
    // Three leases, in which whoever is alive records what it knows.
    expect(Math.min(...takenAtMs) - sinceMs).toBeGreaterThanOrEqual(3000)
    expect(consumer.trouble()).toMatchObject({ pending: 1 })
    await (await mended.promise)()
    await until(async () => expect(await completed()).toContain(own))
    expect(sent.filter((id) => id === own)).toEqual([own])
    expect(await consumer.close(2000)).toBe(true)
  })
})
