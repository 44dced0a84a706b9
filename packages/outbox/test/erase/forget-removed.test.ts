// A person is erased whole, too, where somebody has removed messages of theirs by hand: their places in the lane are left.
import { expect, it } from 'vitest'
import { forgetPerson } from '../../src/erase/forget.ts'
import { createHand } from '../support/hand.ts'
import { found } from '../support/redis-bytes.ts'
import { APP, DELIVERED, keys, sharedWorld, text } from '../support/world.ts'

const ANNA = 'oAnna-0123456789_abcdef'
const NOTHING = { waiting: 0, delivered: 0, deadLetters: 0, left: { sending: 0 } }

const world = sharedWorld({ isFlushed: true })

const forget = (touser: string) => forgetPerson(world.store, { appid: APP, touser })

it('ids whose messages somebody has removed by hand leave no lane', async () => {
  const ids = await world.accept([text(ANNA), text(ANNA)])
  for (const id of ids) await (await world.send.getJob(id))?.remove()
  expect(await forget(ANNA)).toMatchObject(NOTHING)
  expect(await found(world, [ANNA])).toEqual([])
})

it('a message that was removed by hand while a worker holds it keeps its place until its run has ended, and is told of', async () => {
  const [id = ''] = await world.accept([text(ANNA)])
  const held = await createHand(world).fetch()
  await held.run.admit({ touser: ANNA })
  await world.redis.del(keys.sendJob(id))
  expect(await forget(ANNA)).toMatchObject({ waiting: 0, delivered: 0, left: { sending: 1 } })
  expect(await world.redis.lrange(keys.lane(ANNA), '0', '-1')).toEqual([id])
  await held.settle(DELIVERED)
  expect(await forget(ANNA)).toMatchObject(NOTHING)
  expect(await found(world, [ANNA])).toEqual([])
})
