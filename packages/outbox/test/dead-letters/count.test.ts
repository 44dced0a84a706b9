import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CountedBy, countDeadLetters, countGiven, countReasons } from '../../src/dead-letters/count.ts'
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
    expect(await countReasons(world.store, APP, ['45015', '45015'])).toEqual({ total: 30, ...known, others: 10 })
    expect(await countReasons(world.store, APP, REASONS)).toEqual({ total: 30, counts: all, others: 0 })
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
