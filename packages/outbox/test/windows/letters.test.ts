// Dead letters by the reply window of their people: found, listed, counted, and replayed by a task.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countDeadLetters } from '../../src/dead-letters/count.ts'
import { countWindows } from '../../src/dead-letters/count-windows.ts'
import { listDeadLetters } from '../../src/dead-letters/list.ts'
import { carryOut, crowd, expectOneEach, letDie, pauseSending, start, taskOf } from '../support/tasks.ts'
import { acts } from '../support/windows.ts'
import { APP, createWorld, keys, type World } from '../support/world.ts'

const STATES = ['open', 'used-up', 'closed', 'unknown'] as const
const REASONS = ['45015', '45047', 'expired']

let world: World
let ids: string[]
/** `o-0` to `o-3` have windows in the order of the states, a hundred letters each of two codes and a reason. */
beforeAll(async () => {
  world = await createWorld()
  ids = await letDie(world, crowd(400, 4, ['45015', '45015', 'expired']))
  for (const touser of ['o-0', 'o-1', 'o-2']) await acts(world, touser)
  await world.redis.hset(keys.window('o-1'), 'used', '5')
  await world.redis.hset(keys.window('o-2'), 'until', '1')
}, 60_000)
afterAll(() => world?.close())

const of = (person: number): string[] => ids.filter((_, n) => n % 4 === person)
const countOf = (filter: object, by: 'errcode' | 'touser' = 'errcode') =>
  countDeadLetters(world.store, APP, { filter, by, reasons: REASONS })
const windowsOf = async (asked: Partial<Parameters<typeof countWindows>[2]> = {}) =>
  countWindows(world.store, APP, { of: { filter: {} }, total: 400, ...asked })

const sumOf = (counts: readonly { count: number }[]): number => counts.reduce((sum, { count }) => sum + count, 0)
const lookedAt = async (): Promise<number> =>
  Number(/cmdstat_hget:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1] ?? 0)

/** All pages of a list. */
async function listed(filter: object): Promise<string[]> {
  const all: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await listDeadLetters(world.store, APP, { ...filter, limit: 50, cursor })
    all.push(...page.items.map(({ id }) => id))
    if (page.next === null) return all
    cursor = page.next
  }
}

describe('letters of people whose window', () => {
  it.each(STATES.map((state, person) => [state, person] as const))(
    'is %s are listed and counted',
    async (state, person) => {
      expect((await listed({ window: [state] })).toSorted()).toEqual(of(person).toSorted())
      const { total, counts } = await countOf({ window: [state] }, 'touser')
      expect({ total, counts }).toEqual({ total: 100, counts: [{ key: `o-${person}`, count: 100 }] })
    },
  )

  it('is one of several, with the rest of the filter', async () => {
    const filter = { window: ['open', 'closed'] as const, errcode: ['45015'], notTouser: ['o-2'] }
    expect((await countOf(filter)).counts).toEqual([{ key: '45015', count: 67 }])
    expect((await countOf({ ...filter, touser: ['o-1', 'o-3'] })).total).toBe(0)
    expect((await countOf({ window: ['open'], limit: 7 })).total).toBe(7)
    expect(await listed({ window: ['open', 'closed'], touser: ['o-2', 'o-1'] })).toHaveLength(100)
  })

  it('is open are replayed by a task, and no others', async () => {
    await pauseSending(world)
    const filter = { window: ['open' as const], touser: ['o-0', 'o-1', 'o-3'], limit: 10 }
    const id = await start(world, { action: 'replay', filter })
    await carryOut(world, id)
    expect(await taskOf(world, id)).toMatchObject({ filter, total: 10, done: 10 })
    await expectOneEach(world, of(0).slice(0, 10), 1)
    ids = ids.filter((letter) => !of(0).slice(0, 10).includes(letter))
  })
})

describe('counts by the state of windows', () => {
  it('tell of all letters, of those that died of their window, and of ids', async () => {
    const [open, others] = [{ key: 'open', count: 90 }, STATES.slice(1).map((key) => ({ key, count: 100 }))]
    expect(await windowsOf()).toEqual([open, ...others])
    const died = await windowsOf({ ofWindows: true })
    expect(died.map(({ key }) => key)).toEqual(STATES)
    const { counts } = await countOf({})
    expect(sumOf(died)).toBe(counts.find(({ key }) => key === '45015')?.count)
    const given = { ids: [...ids.slice(-4), 'd-none'] }
    expect(await windowsOf({ of: given, total: 4 })).toEqual(STATES.map((key) => ({ key, count: 1 })))
  })

  it('take the first so many of a limit, and pass over other codes', async () => {
    const limited = { filter: { limit: 8, touser: ['o-1', 'o-3'] } }
    expect(await windowsOf({ of: limited, total: 8 })).toEqual([
      { key: 'used-up', count: 4 },
      { key: 'unknown', count: 4 },
    ])
    const first = await windowsOf({ of: { filter: { limit: 12 } }, total: 12, ofWindows: true })
    expect(sumOf(first)).toBe(8)
    const codes = { filter: { errcode: ['expired', '45047'] } }
    expect(await windowsOf({ of: codes, ofWindows: true })).toEqual([])
    expect(await windowsOf({ of: { filter: { errcode: ['40003'] } }, ofWindows: true })).toEqual([])
  })

  it('look at so many letters and no more', async () => {
    await world.redis.config('RESETSTAT')
    const some = await windowsOf({ max: 260 })
    expect(sumOf(some)).toBe(260)
    expect(await lookedAt()).toBe(390)
    await world.redis.config('RESETSTAT')
    expect(sumOf(await windowsOf({ ofWindows: true }))).toBe(await lookedAt())
  })

  it('look at none where the app has no ledger, and all are unknown', async () => {
    await world.redis.del(keys.windows)
    await world.redis.config('RESETSTAT')
    expect(await windowsOf({ total: 390 })).toEqual([{ key: 'unknown', count: 390 }])
    expect(await windowsOf({ total: 0 })).toEqual([])
    expect(await world.redis.info('commandstats')).not.toMatch(/cmdstat_(?:hget|hmget|evalsha):/)
    expect((await countOf({ window: ['unknown'] })).total).toBe(390)
    expect((await countOf({ window: ['open'] })).total).toBe(0)
    expect(await world.redis.info('commandstats')).not.toMatch(/cmdstat_hmget:/)
  })
})
