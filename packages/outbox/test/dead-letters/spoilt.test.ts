// Another program has put something else under a key that a dead letter has beside its own: a list that shows it, or what is remembered of
// it. What becomes of a letter is made whole all the same, or not at all: never neither the letter nor its message is left, and never both.
import { deadLetterIdOf, replayIdOf } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { idempotencyDigest } from '../../src/redis/keys.ts'
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
