// Hands remove jobs while runs hold them, and delete them where they wait. Nothing makes a job of what is left, and no list keeps a
// place for it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Settlement } from '../../src/worker/run.ts'
import { createHand, type Hand } from '../support/hand.ts'
import { createWorld, DELIVERED, dies, keys, memberOf, retry, text, type World } from '../support/world.ts'

let world: World
let hand: Hand
beforeAll(async () => {
  world = await createWorld()
  hand = createHand(world)
})
beforeEach(() => world.redis.flushall())
afterAll(() => world.close())

const KINDS: readonly Settlement[] = [DELIVERED, retry(60_000), dies(), { kind: 'give-back' }, { kind: 'park' }]
const left = async (id: string) => [
  await world.redis.exists(keys.sendJob(id), keys.sendLock(id), keys.sendActive, keys.sendWait, keys.sendDelayed),
  await world.redis.exists(keys.sendFailed, keys.sendCompleted, keys.deadFailed),
]

describe('a job that was removed by hand', () => {
  it.each(KINDS)('while its run held it leaves nothing when that settles: $kind', async (settlement) => {
    await world.accept([text('o-one')])
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    await world.redis.del(keys.sendJob(held.id))
    expect(await held.settle(settlement)).toMatchObject({ outcome: 'gone' })
    expect(await left(held.id)).toEqual([0, 0])
  })

  it('while it waited leaves nothing when it is fetched', async () => {
    const [id = ''] = await world.accept([text('o-one')])
    await world.redis.del(keys.sendJob(id))
    await expect(hand.fetch()).rejects.toThrow('nothing waits')
    expect(await left(id)).toEqual([0, 0])
  })
})

it('a message that is given back waits at the front, without a trace of the run', async () => {
  const [id = '', other = ''] = await world.accept([text('o-one'), text('o-two')])
  const held = await hand.fetch()
  expect(held.id).toBe(id)
  await held.run.admit(memberOf(held.run))
  await held.settle({ kind: 'give-back' })
  // The front is at the right.
  expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([other, id])
  expect(await world.redis.hmget(keys.sendJob(id), 'ats', 'processedOn', 'sending')).toEqual(['0', null, ''])
  expect(await world.redis.exists(keys.sendLock(id), keys.sendActive)).toBe(0)
})
