// A message that waits to be tried again can be taken back where WeChat has refused each call of it, and not where nobody knows of one.
import { ATTEMPTS_MAX } from '@wechat-outbox/messages'
import { expect, it, vi } from 'vitest'
import { healLanes } from '../../src/lanes/heal.ts'
import { createHand } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { APP, attemptMade, keys, memberOf, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

it.each([
  ['was refused', ['retry'], 'cancelled'],
  ['ended unsure', ['unsure'], 'too-late'],
  ['ended unsure, and whose second was refused', ['unsure', 'retry'], 'too-late'],
] as const)('a message whose call %s', async (_what, outcomes, expected) => {
  const [id = ''] = await world.accept([text('o-1')])
  const hand = createHand(world)
  for (const outcome of outcomes) {
    const held = await vi.waitFor(() => hand.fetch(), WAIT_MS)
    await held.run.admit(memberOf(held.run))
    await held.settle({ kind: 'snooze', delayMs: 0, counts: true, attempts: [attemptMade({ outcome, errcode: -1 })] })
  }
  const outbox = world.outbox()
  expect(await outbox.cancel(id)).toBe(expected)
  expect((await outbox.status(id))?.status).toBe(expected === 'cancelled' ? 'cancelled' : 'retrying')
})

it('is too late to cancel however often it has been tried since a call ended unsure', async () => {
  const [id = ''] = await world.accept([text('o-1')])
  const hand = createHand(world)
  for (let run = 0; run <= ATTEMPTS_MAX; run += 1) {
    const held = await vi.waitFor(() => hand.fetch(), WAIT_MS)
    await held.run.admit(memberOf(held.run))
    const attempts = [attemptMade({ outcome: run === 0 ? 'unsure' : 'retry', errcode: -1 })]
    await held.settle({ kind: 'snooze', delayMs: 0, counts: false, attempts })
  }
  const outbox = world.outbox()
  expect(await outbox.cancel(id)).toBe('too-late')
  const { attempts = [] } = (await outbox.status(id)) ?? {}
  expect(attempts).toHaveLength(ATTEMPTS_MAX)
  expect(attempts[0]?.outcome).toBe('unsure')
})

it('is cancelled whatever another program has put in the place of the message behind it', async () => {
  const [id = '', behind = ''] = await world.accept([text('o-1'), text('o-1')])
  const mend = await spoil(world.redis, keys.sendJob(behind))
  const outbox = world.outbox()
  expect(await outbox.cancel(id)).toBe('cancelled')
  await mend()
  await healLanes(world.store, APP, 0)
  expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([behind])
})
