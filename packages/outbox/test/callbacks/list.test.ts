// What an operator is shown of events while they move: none twice, and none is left out that has not moved.
import { expect, it } from 'vitest'
import { type ListedEvent, walkEvents } from '../../src/callbacks/list.ts'
import { APP, keys, sharedWorld } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const idsOf = (name: string, count = 250): string[] => Array.from({ length: count }, (_, n) => `c-${name}-${n}`)
const add = (ids: readonly string[]) =>
  Promise.all(
    ids.map((id) => world.redis.hset(keys.callbackJob(id), { name: 'message.dead', data: '{}', timestamp: 1 })),
  )

/** The whole walk, and what happens after so many events of it. */
async function walk(after: number, meanwhile: () => Promise<unknown>): Promise<string[]> {
  const seen: ListedEvent[] = []
  for await (const event of walkEvents(world.store, APP, { onlyGivenUp: false })) {
    seen.push(event)
    if (seen.length === after) await meanwhile()
  }
  return seen.map(({ id }) => id)
}

it.each([
  ['events are added', (ids: string[]) => world.redis.lpush(keys.callbackWait, ...ids)],
  ['the newest is told as a probe', () => world.redis.lpop(keys.callbackWait)],
  ['the oldest is told', () => world.redis.rpoplpush(keys.callbackWait, 'elsewhere')],
  ['the one at which it stands is told', () => world.redis.lrem(keys.callbackWait, 1, 'c-wait-99')],
])('goes on among those that wait where it was: %s', async (what, change) => {
  const ids = idsOf('wait')
  const added = idsOf('new', 3)
  await add([...ids, ...added])
  await world.redis.rpush(keys.callbackWait, ...ids)
  const left = what === 'the oldest is told' ? ids.slice(0, -1) : ids
  expect(await walk(100, () => change(added))).toEqual(left)
})

it('lists one that is given up meanwhile once, and none whose job was removed', async () => {
  const ids = idsOf('delayed', 150)
  await add(ids)
  await world.redis.zadd(keys.callbackDelayed, ...ids.flatMap((id, n) => [-n, id]))
  await world.redis.zadd(keys.callbackFailed, 1, 'c-removed')
  const giveUp = () => world.redis.zadd(keys.callbackFailed, 2, 'c-delayed-0')
  expect(await walk(100, giveUp)).toEqual(ids)
})
