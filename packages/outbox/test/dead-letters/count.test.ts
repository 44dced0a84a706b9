import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CountedBy, countAtOnce, countDeadLetters, countGiven } from '../../src/dead-letters/count.ts'
import { crowd, letDie } from '../support/tasks.ts'
import { APP, createWorld, keys, type World } from '../support/world.ts'

let world: World
let ids: string[]
beforeEach(async () => {
  world = await createWorld()
  ids = await letDie(world, crowd(30, 5, ['45015', '45015', 'expired']))
})
afterEach(() => world.close())

const REASONS = ['45015', '45047', 'expired']
const count = (filter: object, by: CountedBy = 'errcode', reasons = REASONS) =>
  countDeadLetters(world.store, APP, { filter, by, reasons })

describe('dead letters are counted', () => {
  const all = [
    { key: '45015', count: 20 },
    { key: 'expired', count: 10 },
  ]

  it('by code, with the reasons that are known', async () => {
    await world.redis.config('RESETSTAT')
    expect(await count({})).toEqual({ total: 30, counts: all, others: 0 })
    const [, hget = '0'] = /cmdstat_hget:calls=(\d+)/.exec(await world.redis.info('commandstats')) ?? []
    expect(Number(hget)).toBe(0)
  })

  it('by code, also of a reason that nobody has named', async () => {
    expect(await count({}, 'errcode', ['45015'])).toEqual({ total: 30, counts: all, others: 0 })
  })

  it('by reasons alone, without a look at letters of which nobody has named one', async () => {
    await world.redis.config('RESETSTAT')
    const known = { counts: [{ key: '45015', count: 20 }] }
    const atOnce = (reasons: string[]) => countAtOnce(world.store, APP, { filter: {}, by: 'errcode', reasons })
    expect(await atOnce(['45015', '45015'])).toEqual({ total: 30, ...known, others: 10 })
    expect(await atOnce(REASONS)).toEqual({ total: 30, counts: all, others: 0 })
    expect(await world.redis.info('commandstats')).not.toContain('cmdstat_hget:')
  })

  it.each([
    [{ errcode: ['45015'] }, 20],
    [{ errcode: ['45015', '45015', '45047'] }, 20],
    [{ errcode: ['expired'] }, 10],
    [{ touser: ['o-1', 'o-2'] }, 12],
    [{ notTouser: ['o-1'] }, 24],
    [{ since: 1 }, 30],
    [{ until: 1 }, 0],
    [{ acceptedUntil: 1 }, 0],
    [{ limit: 7 }, 7],
    [{ limit: 4, errcode: ['expired'] }, 4],
  ])('with the filter %j', async (filter, total) => {
    expect((await count(filter)).total).toBe(total)
  })

  it.each([
    ['hour', {}],
    ['hour', { errcode: ['45015', '45047'], touser: ['o-1', 'o-2'] }],
    ['errcode', { touser: ['o-1', 'o-2', 'o-1'] }],
    ['errcode', { touser: ['o-1'], errcode: ['45015'] }],
  ] as [CountedBy, object][])('by %s of %j without a look at one of them', async (by, filter) => {
    const looked = await count({ ...filter, acceptedSince: 0 }, by)
    expect(looked.total).toBeGreaterThan(0)
    await world.redis.config('RESETSTAT')
    expect(await count(filter, by)).toEqual(looked)
    expect(await world.redis.info('commandstats')).not.toContain('cmdstat_hget:')
  })

  it('at once, or not at all', async () => {
    const atOnce = (filter: object, by: CountedBy = 'errcode', reasons = REASONS) =>
      countAtOnce(world.store, APP, { filter, by, reasons })
    expect(await atOnce({}, 'errcode', ['45015'])).toEqual({
      total: 30,
      counts: [{ key: '45015', count: 20 }],
      others: 10,
    })
    expect(await atOnce({ errcode: ['expired'] })).toBeUndefined()
    expect(await atOnce({ limit: 1 })).toBeUndefined()
    expect(await atOnce({}, 'touser')).toBeUndefined()
  })

  it('by hours that begin and end where the filter does', async () => {
    const hour = 3_600_000
    const at = (n: number): number => 480_000 * hour + n
    // Deaths at the edges of hours, and months before.
    const moved = ids.slice(0, 5)
    const times = [at(-1), at(0), at(hour - 1), at(hour), at(1000 * hour)]
    for (const [n, id] of moved.entries()) await world.redis.zadd(keys.deadByTime, times[n] ?? 0, id)
    const hours = async (since: number, until: number) =>
      (await countAtOnce(world.store, APP, { filter: { since, until }, by: 'hour', reasons: [] }))?.counts
    const iso = (ms: number): string => new Date(ms).toISOString()
    expect(await hours(0, at(1000 * hour))).toEqual([
      { key: iso(at(-hour)), count: 1 },
      { key: iso(at(0)), count: 2 },
      { key: iso(at(hour)), count: 1 },
      { key: iso(at(1000 * hour)), count: 1 },
    ])
    expect(await hours(at(1), at(hour))).toEqual([
      { key: iso(at(0)), count: 1 },
      { key: iso(at(hour)), count: 1 },
    ])
    // From then until today is more than is counted at once, and the letters tell it.
    expect(await hours(0, Date.now())).toBeUndefined()
    expect((await count({}, 'hour')).total).toBe(30)
  })

  it('by person, by hour, and by id', async () => {
    expect((await count({}, 'touser')).counts).toEqual([0, 1, 2, 3, 4].map((n) => ({ key: `o-${n}`, count: 6 })))
    const { counts } = await count({}, 'hour')
    expect(counts.reduce((sum, one) => sum + one.count, 0)).toBe(30)
    for (const { key } of counts) expect(key).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00\.000Z$/)
    expect(await countGiven(world.store, APP, [...ids.slice(0, 3), 'd-none'])).toEqual({
      total: 3,
      counts: [
        { key: '45015', count: 2 },
        { key: 'expired', count: 1 },
      ],
      others: 0,
    })
  })

  it('and the first of a limit are those that were accepted first', async () => {
    const [first = ''] = ids
    await world.redis.zadd(keys.deadByTime, Date.now() + 1000, first)
    expect((await count({ limit: 1 }, 'touser')).counts).toEqual([{ key: 'o-0', count: 1 }])
  })
})
