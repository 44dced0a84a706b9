/** The row of calls that nothing explains but a fault of the app or of the way to WeChat. */
import type { AppFault } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import {
  endUnexplainedRow,
  proveApp,
  type Reported,
  readHold,
  reportFault,
  takeProbeTurn,
} from '../../src/app-hold/hold.ts'
import { appFault } from '../support/app-fault.ts'
import { APP, keys, ownWorld, reasonOf } from '../support/world.ts'

const world = ownWorld()

const fault = (given: Partial<AppFault> = {}): AppFault =>
  appFault({
    reason: reasonOf({ errcode: 99_999, name: 'unknown' }),
    holdMs: 15_000,
    inARow: { group: 'unexplained', max: 5, people: 2 },
    ...given,
  })
const unreachable = fault({ cause: 'road', reason: reasonOf({ name: 'unreachable' }) })

/** One call after another, each for the person that is named. */
async function calls(people: string, given = fault()): Promise<Reported['kind'][]> {
  const kinds: Reported['kind'][] = []
  for (const touser of people) {
    kinds.push((await reportFault(world.store, APP, { token: 'a run', touser, fault: given })).kind)
  }
  return kinds
}
const probing = async (): Promise<void> => {
  await world.redis.hset(keys.hold, 'until', '1')
  await takeProbeTurn(world.store, APP)
  await world.redis.hset(keys.hold, 'prober', 'a run')
}

describe('calls without an answer that their own messages explain', () => {
  it.each([
    ['five in a row for two people', 'aaaab', 'new'],
    ['four', 'abab', 'active'],
    ['any number for one person', 'aaaaaaaaaa', 'active'],
  ])('hold the app, or not: %s', async (_what, people, last) => {
    const kinds = await calls(people)
    expect(kinds).toEqual(Array.from(people, (_, n) => (n === people.length - 1 ? last : 'active')))
    expect((await readHold(world.store, APP)) !== null).toBe(last === 'new')
  })

  it('are one row, whatever each of them was, and need no second person where no message can be at fault', async () => {
    expect(await calls('aa', unreachable)).toEqual(['active', 'active'])
    expect(await calls('bb')).toEqual(['active', 'active'])
    expect(await calls('a', unreachable)).toEqual(['new'])
    await world.redis.del(keys.hold, keys.faultsInARow)
    expect(await calls('aaaaa', fault({ inARow: { group: 'unexplained', max: 5 } }))).toContain('new')
  })

  it('are a new row, for people of its own, after an answer that explains itself', async () => {
    await calls('aabb')
    await endUnexplainedRow(world.store, APP)
    expect(await calls('bbbbb')).toEqual(['active', 'active', 'active', 'active', 'active'])
    expect(await calls('a')).toEqual(['new'])
  })
})

describe('the probe of an app that WeChat could not be reached for', () => {
  it('ends the hold with any code, and the code counts as the first of a row', async () => {
    await calls('aabbc', unreachable)
    await probing()
    expect(await calls('c')).toEqual(['lifted'])
    expect(await readHold(world.store, APP)).toBeNull()
    expect(await calls('cca')).toEqual(['active', 'active', 'active'])
    expect(await calls('a')).toEqual(['new'])
  })

  it('does not end it with a code that holds the app by itself, nor for a run that is not the probe', async () => {
    await calls('aabbc', unreachable)
    await probing()
    const other = { token: 'another run', touser: 'd', fault: fault() }
    await world.redis.del(keys.faultsInARow)
    expect((await reportFault(world.store, APP, other)).kind).toBe('active')
    const { inARow: _, ...alone } = fault({ reason: reasonOf({ errcode: 40164, name: 'ip-not-allowed' }) })
    expect((await reportFault(world.store, APP, { token: 'a run', fault: alone })).kind).toBe('new')
    expect((await readHold(world.store, APP))?.fault?.reason.name).toBe('ip-not-allowed')
    expect(await proveApp(world.store, APP, { token: 'a run', proof: 'reached' })).toBe('none')
  })
})
