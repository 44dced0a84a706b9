// Another program has put something else under a key that a dead letter has beside its own: a list that shows it, or what is remembered of
// it. What becomes of a letter is made whole all the same, or not at all: never neither the letter nor its message is left, and never both.
import { deadLetterIdOf, replayIdOf } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import type { Buried } from '../../src/dead-letters/bury.ts'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { idempotencyDigest } from '../../src/redis/keys.ts'
import { cancelTask } from '../../src/tasks/task.ts'
import { burierOn, failed } from '../support/dead.ts'
import { createHand } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { carryOut, round, start, taskOf } from '../support/tasks.ts'
import { APP, dies, keys, memberOf, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const RECORD = keys.idempotency + idempotencyDigest('k')

/** What nothing that becomes of a letter depends on. */
const BESIDE = [
  ['the list of all letters', keys.deadByTime],
  ['the list of its reason', keys.deadByReason('45015')],
  ['the list of its person', keys.deadByPerson('o-1')],
  ['the list of both', keys.deadByPersonAndReason('o-1', '45015')],
  ['the record of its idempotency key', RECORD],
] as const

interface Ids {
  readonly message: string
  readonly letter: string
  readonly replay: string
}

/** The letter of a message with an idempotency key. */
async function died(): Promise<Ids> {
  const { id: message } = await world.outbox().send({ ...text('o-1'), idempotencyKey: 'k' })
  const held = await createHand(world).fetch()
  await held.run.admit(memberOf(held.run))
  await held.settle(dies())
  const letter = deadLetterIdOf(message)
  return { message, letter, replay: replayIdOf(letter) }
}

const isThere = async (key: string): Promise<boolean> => (await world.redis.exists(key)) === 1

describe('a replay', () => {
  it.each(BESIDE)('of what somebody has retried is made where %s is spoilt', async (_what, key) => {
    const { message, letter, replay } = await died()
    await requestReplay(world.store, APP, letter)
    await spoil(world.redis, key)
    expect(await round(world)).toMatchObject({ replayed: [{ id: replay, replayOf: letter }], problems: [] })
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([replay])
    expect(await isThere(keys.deadJob(letter))).toBe(false)
    expect(await world.outbox().status(message)).toMatchObject({ status: 'replayed', replayedAs: replay })
  })

  it('of what somebody has retried waits where the failed ones are spoilt', async () => {
    const { letter, replay } = await died()
    await requestReplay(world.store, APP, letter)
    const mend = await spoil(world.redis, keys.deadFailed)
    expect(await round(world)).toMatchObject({ replayed: [], problems: [{ id: letter }], againMs: expect.any(Number) })
    expect(await isThere(keys.sendJob(replay))).toBe(false)
    await mend()
    expect(await round(world)).toMatchObject({ replayed: [{ id: replay }], problems: [] })
  })

  const ofTask = (id: string) =>
    [
      ...BESIDE,
      ['what it has replayed', keys.taskReplayed(id)],
      ['its letters by person', keys.taskLettersOf(id)],
    ] as const

  it.each(ofTask('').map(([what], n) => [what, n] as const))(
    'of a task is made and counted where %s is spoilt',
    async (_what, n) => {
      const { letter, replay } = await died()
      const id = await start(world, { action: 'replay', ids: [letter] })
      await round(world)
      await spoil(world.redis, ofTask(id)[n]?.[1] ?? '')
      await carryOut(world, id)
      expect(await taskOf(world, id)).toMatchObject({ status: 'done', done: 1, failed: 0, skipped: 0 })
      expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([replay])
      expect(await isThere(keys.deadJob(letter))).toBe(false)
    },
  )
})

describe('a discard', () => {
  it.each(BESIDE)('is made and told where %s is spoilt', async (_what, key) => {
    const { message, letter } = await died()
    await spoil(world.redis, key)
    expect(await discardDeadLetter(world.store, { appid: APP, id: letter }, 60_000)).toBe('discarded')
    expect(await isThere(keys.deadJob(letter))).toBe(false)
    expect(await world.outbox().status(message)).toMatchObject({ status: 'discarded' })
  })

  const ofTask = (id: string) => [...BESIDE, ['its letters by person', keys.taskLettersOf(id)]] as const

  it.each(ofTask('').map(([what], n) => [what, n] as const))(
    'of a task is made and counted where %s is spoilt',
    async (_what, n) => {
      const { letter } = await died()
      const id = await start(world, { action: 'discard', ids: [letter] })
      await round(world)
      await spoil(world.redis, ofTask(id)[n]?.[1] ?? '')
      await carryOut(world, id)
      expect(await taskOf(world, id)).toMatchObject({ status: 'done', done: 1, failed: 0, skipped: 0 })
      expect(await isThere(keys.deadJob(letter))).toBe(false)
    },
  )
})

/** What a message that waits has beside its own key. */
const OF_WAITING = [
  ['what waits', keys.sendWait],
  ['what is delayed', keys.sendDelayed],
  ['what waits for its user', keys.sendAwaitingUser],
  ['what expires', keys.expiring],
  ['the lanes with parked messages', keys.parkedLanes],
  ['its lane', keys.lane('o-1')],
  ['the failed ones', keys.deadFailed],
] as const

describe.each([
  ['is the first of its lane', 0],
  ['is behind another', 1],
])('a replay that %s', (_what, before) => {
  it.each([...BESIDE, ...OF_WAITING])('is taken back whole or not at all where %s is spoilt', async (_key, key) => {
    const { message, letter, replay } = await died()
    const waiting = Array.from({ length: before }, () => text('o-1'))
    await world.accept(waiting)
    const id = await start(world, { action: 'replay', ids: [letter] })
    await carryOut(world, id)
    await world.accept([text('o-1')])
    const mend = await spoil(world.redis, key)
    const { task } = (await cancelTask(world.store, { appid: APP, id }, true)) ?? {}
    await mend()
    const isBack = await isThere(keys.deadJob(letter))
    expect(await isThere(keys.sendJob(replay))).toBe(!isBack)
    expect(await isThere(keys.ended(message))).toBe(!isBack)
    expect(task?.takenBack).toBe(isBack ? 1 : 0)
    if (BESIDE.some(([, beside]) => beside === key)) expect(isBack).toBe(true)
    await expectPlaces(before + (isBack ? 1 : 2))
  })
})

/** Whatever waits stands in the lane, and whatever stands in the lane waits. */
async function expectPlaces(count: number): Promise<void> {
  const lane = await world.redis.lrange(keys.lane('o-1'), '0', '-1')
  const waiting = await world.redis.lrange(keys.sendWait, '0', '-1')
  const delayed = await world.redis.zrange(keys.sendDelayed, '0', '-1')
  expect([...waiting, ...delayed].toSorted()).toEqual(lane.toSorted())
  expect(lane).toHaveLength(count)
}

describe.each([
  ['is the first of its lane', 0],
  ['is behind another', 1],
])('a message that expires and %s', (_what, before) => {
  it.each([...BESIDE, ...OF_WAITING])('is buried whole or not at all where %s is spoilt', async (_key, key) => {
    await world.accept(Array.from({ length: before }, () => text('o-1')))
    const { id } = await world.outbox().send({ ...text('o-1'), idempotencyKey: 'k', expiresAt: Date.now() + 3_600_000 })
    await world.accept([text('o-1')])
    const data = JSON.parse((await world.redis.hget(keys.sendJob(id), 'data')) ?? '')
    await world.redis.hset(keys.sendJob(id), 'data', JSON.stringify({ ...data, expiresAt: Date.now() - 1 }))
    const { burier } = burierOn(world.store)
    await isBuried(id, key, () => burier.expire(id))
    await expectPlaces(before + 1)
  })
})

it.each([...BESIDE, ...OF_WAITING])(
  'a message that another program has failed is buried whole or not at all where %s is spoilt',
  async (_key, key) => {
    const [id = ''] = await failed(world, 'o-1')
    await world.accept([text('o-1')])
    const { burier } = burierOn(world.store)
    await isBuried(id, key, () => burier.bury(id))
    await expectPlaces(1)
    expect(await world.redis.llen(keys.sendWait)).toBe(1)
  },
)

/** At once, or as soon as the key is mended; and never half. */
async function isBuried(id: string, key: string, bury: () => Promise<Buried>): Promise<void> {
  const mend = await spoil(world.redis, key)
  const first = await bury().catch(() => undefined)
  expect(await isThere(keys.deadJob(deadLetterIdOf(id)))).toBe(first?.kind === 'dead')
  expect(await isThere(keys.sendJob(id))).toBe(first?.kind !== 'dead')
  await mend()
  if (first?.kind !== 'dead') expect(await bury()).toMatchObject({ kind: 'dead' })
}
