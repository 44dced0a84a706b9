// Another program spoils a key of the app for a moment, while a message goes from one list to another. It may go later; it is lost
// by no step.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { healLanes } from '../../src/lanes/heal.ts'
import type { Settlement } from '../../src/worker/run.ts'
import { burierOn } from '../support/dead.ts'
import { createHand, giveStalledBack, type Hand, type Held } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { acts } from '../support/windows.ts'
import {
  APP,
  DELIVERED,
  delivering,
  dies,
  keys,
  memberOf,
  retry,
  sharedWorld,
  text,
  WAIT_MS,
} from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const AWAITS: Settlement = { kind: 'await-user', attempts: [] }
const one = (onClosed: 'hold' | 'dead-letter' = 'dead-letter') => ({ ...text('o-one'), onClosed })

/** Makes ready for a step; it is taken while a key is spoilt, and repeated until it holds. */
type Move = (hand: Hand) => Promise<() => Promise<unknown>>

const settling =
  (settlement: Settlement, fetches = false): Move =>
  async (hand) => {
    await world.accept([one(), one(), one()])
    const held = await hand.fetch()
    if (settlement.kind === 'await-user') await held.run.admit(memberOf(held.run))
    return () => finishing(hand, held, settlement, fetches)
  }

/** What comes with a settlement is delivered. */
async function finishing(hand: Hand, held: Held, settlement: Settlement, fetches: boolean): Promise<void> {
  const settled = await held.settle(settlement, fetches)
  if (settled.fetched !== undefined) await hand.next(held, settled).settle(DELIVERED)
}

const refused = () => undefined

async function closeWindow(): Promise<void> {
  await acts(world, 'o-one')
  await world.redis.hset(keys.window('o-one'), 'used', '100')
}

const MOVES: Readonly<Record<string, Move>> = {
  'is behind one that is delivered': settling(DELIVERED),
  'goes to the run of the one before it': settling(DELIVERED, true),
  'is behind one that dies': settling(dies()),
  'goes to the run of one that dies': settling(dies(), true),
  'is tried again later': settling(retry(1)),
  'steps back': settling({ kind: 'park' } as Settlement),
  'waits for its user': settling(AWAITS),
  async 'steps back behind another'(hand) {
    await world.accept([one(), one()])
    const held = await hand.fetch()
    await world.redis.lmove(keys.lane('o-one'), keys.lane('o-one'), 'LEFT', 'RIGHT')
    return () => held.settle({ kind: 'park' } as Settlement)
  },
  async 'is given back'(hand) {
    await world.accept([one()])
    const { id, token } = await hand.fetch()
    return () => hand.settler.settle({ kind: 'give-back', id, token, fetches: false })
  },
  async 'becomes due'(hand) {
    await world.accept([one()])
    const held = await hand.fetch()
    await held.settle(retry(1))
    return () => hand.fetch().then((due) => due.settle(DELIVERED), refused)
  },
  async 'is delivered while it waits for another try'(hand) {
    await world.accept([one()])
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    await held.die()
    const other = await hand.fetch()
    await other.run.admit(memberOf(other.run))
    await other.settle(retry(60_000))
    return () => held.settle(DELIVERED)
  },
  async 'is cancelled'() {
    const [id = ''] = await world.accept([one(), one()])
    const cancel = () => world.outbox().cancel(id)
    return () => cancel().catch(refused)
  },
  async expires() {
    const expiresAt = Date.now() + 1
    const [id = ''] = await world.accept([{ ...one(), expiresAt }, one()])
    const { burier } = burierOn(world.store)
    await until(() => expect(world.store.clock.now()).toBeGreaterThan(expiresAt))
    return async () => {
      await burier.expire(id).catch(refused)
      // It is a message or a letter, and never both.
      expect(await world.redis.exists(keys.sendJob(id), keys.deadJob(deadLetterIdOf(id)))).toBe(1)
    }
  },
  async 'waits for the action that comes'(hand) {
    await world.accept([one('hold')])
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    await held.settle(AWAITS)
    return () => acts(world, 'o-one').catch(refused)
  },
  async 'is fetched too early'(hand) {
    const [, second = ''] = await world.accept([one(), one()])
    const held = await hand.fetch()
    await (await world.send.getJob(second))?.promote()
    return async () => {
      await hand.fetch().catch(refused)
      await held.settle(DELIVERED)
    }
  },
  async 'is fetched while its window is closed'(hand) {
    await closeWindow()
    await world.accept([one('hold')])
    return () => hand.fetch().catch(refused)
  },
  async 'is taken over from a worker that died'(hand) {
    await world.accept([one()])
    const held = await hand.fetch()
    await world.redis.del(keys.sendLock(held.id))
    await giveStalledBack(world)
    const again = await hand.fetch()
    await world.redis.del(keys.sendLock(again.id))
    return () => giveStalledBack(world).catch(refused)
  },
}

const LISTS: readonly (readonly [string, string])[] = [
  ['what waits', keys.sendWait],
  ['what is active', keys.sendActive],
  ['what is delayed', keys.sendDelayed],
  ['the lanes with parked messages', keys.parkedLanes],
]
const OTHERS: readonly (readonly [string, string])[] = [
  ['what waits for its user', keys.sendAwaitingUser],
  ['what expires', keys.expiring],
  ['its lane', keys.lane('o-one')],
]
/** The moves in which these take part. */
const WITH_OTHERS = new Set([
  'goes to the run of the one before it',
  'waits for its user',
  'is delivered while it waits for another try',
  'is cancelled',
  'expires',
  'waits for the action that comes',
  'is fetched while its window is closed',
])

describe.each(Object.entries(MOVES))('a message that %s', (what, move) => {
  it.each(WITH_OTHERS.has(what) ? [...LISTS, ...OTHERS] : LISTS)(
    'is not lost where another program has spoilt %s',
    async (_which, key) => {
      const hand = createHand(world)
      const step = await move(hand)
      const before = await world.redis.lrange(keys.lane('o-one'), '0', '-1')
      const mend = await spoil(world.redis, key)
      const taken = step()
      let isOver = false
      taken.finally(() => (isOver = true)).catch(refused)
      await until(() => expect(isOver || hand.settler.trouble() !== undefined).toBe(true))
      await mend()
      await taken
      const stands = await Promise.all([
        world.redis.lrange(keys.sendWait, '0', '-1'),
        world.redis.lrange(keys.sendActive, '0', '-1'),
        world.redis.zrange(keys.sendDelayed, '0', '-1'),
      ])
      expect(stands.flat()).toHaveLength(new Set(stands.flat()).size)
      // Whoever waits for the user goes.
      await acts(world, 'o-one')
      await healLanes(world.store, APP, 0)
      const { consumer } = await world.consumer(delivering([]), { stalledAfterMs: 300 })
      onTestFinished(async () => void (await consumer.close(WAIT_MS)))
      await until(async () => {
        const ends = await Promise.all(before.map(async (id) => (await world.outbox().status(id))?.status))
        expect(ends.filter((end) => !['delivered', 'dead', 'cancelled'].includes(end ?? ''))).toEqual([])
        expect(await world.redis.exists(keys.sendWait, keys.sendActive, keys.sendDelayed)).toBe(0)
      })
    },
  )
})

it('a message is not kept by a run that fails after it was given to it', async () => {
  const [, second = ''] = await world.accept([one(), one()])
  const hand = createHand(world)
  const held = await hand.fetch()
  const mend = await spoil(world.redis, keys.sendCompleted)
  const settling = held.settle(DELIVERED, true)
  await until(() => expect(hand.settler.trouble()).toBeDefined())
  expect(await createHand(world, { name: 'other' }).fetch()).toMatchObject({ id: second })
  await mend()
  expect(await settling).toMatchObject({ outcome: 'done', fetched: undefined })
})

it('a message that is due holds up nobody else while its own key is spoilt', async () => {
  const sendAt = world.store.clock.now() + 1000
  const [due = ''] = await world.accept([{ ...one(), sendAt }])
  expect(await world.redis.zcard(keys.sendDelayed)).toBe(1)
  await until(() => expect(world.store.clock.now()).toBeGreaterThan(sendAt))
  const mend = await spoil(world.redis, keys.sendJob(due))
  const [other = ''] = await world.accept([text('o-other')])
  const hand = createHand(world)
  expect(await hand.fetch()).toMatchObject({ id: other })
  await mend()
  expect(await world.redis.zrange(keys.sendDelayed, '0', '-1')).toEqual([due])
  await (await world.send.getJob(due))?.promote()
  expect(await hand.fetch()).toMatchObject({ id: due })
})
