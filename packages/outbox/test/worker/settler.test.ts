// What Redis may answer to a settlement instead of making it true, for every kind of settlement: the message has its right
// end, once, and its follower goes on. Nothing is dead that did not die, nothing is sent twice.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { REDIS_ERRORS, type RedisErrorName } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readJobHash } from '../../src/bullmq/job-hash.ts'
import { healLanes } from '../../src/lanes/heal.ts'
import type { Settlement } from '../../src/worker/run.ts'
import { createFatedRedis, type FatedHand, type FatedRedis, type OneFate } from '../support/fated.ts'
import { giveStalledBack, type Held } from '../support/hand.ts'
import { acts } from '../support/windows.ts'
import {
  APP,
  attemptMade,
  createWorld,
  DELIVERED,
  delivering,
  dies,
  keys,
  retry,
  text,
  WAIT_MS,
  type World,
} from '../support/world.ts'

let world: World
let fated: FatedRedis
beforeAll(async () => {
  world = await createWorld()
  fated = await createFatedRedis(world)
})
beforeEach(() => world.redis.flushall())
afterAll(async () => {
  await fated.close()
  await world.close()
})

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const ids = (key: string): Promise<string[]> => world.redis.lrange(key, '0', '-1')
const job = async (id: string) => readJobHash(await world.redis.hgetall(keys.sendJob(id)))
const mark = (id: string): Promise<string | null> => world.redis.hget(keys.sendJob(id), 'sending')

/** A delay that is over before anybody looks for the message again. */
const WAITS: Settlement = { kind: 'snooze', delayMs: 1, counts: false, attempts: [] }

interface Kind {
  readonly settlement: Settlement
  /** Whether its run has its turn, and so may have called WeChat. */
  readonly hasTurn: boolean
  /** What is true of the message once the settlement holds. */
  readonly holds: (id: string) => Promise<void>
  /** Whether a run has to send it afterwards. */
  readonly isOpen: boolean
}

const KINDS: Readonly<Record<string, Kind>> = {
  delivered: {
    settlement: DELIVERED,
    hasTurn: true,
    isOpen: false,
    async holds(id) {
      expect(await world.redis.zscore(keys.sendCompleted, id)).not.toBeNull()
      expect(await job(id)).toMatchObject({ settled: true, tries: 1, returned: { attempts: DELIVERED.attempts } })
    },
  },
  'snooze that counts': {
    settlement: retry(1),
    hasTurn: true,
    isOpen: true,
    async holds(id) {
      expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull()
      const found = await job(id)
      expect(found).toMatchObject({ settled: false, tries: 1 })
      expect(found?.history).toHaveLength(1)
    },
  },
  'snooze that does not count': {
    settlement: WAITS,
    hasTurn: true,
    isOpen: true,
    async holds(id) {
      expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull()
      expect(await job(id)).toMatchObject({ settled: false, tries: 0, history: [] })
    },
  },
  dead: {
    settlement: dies(),
    hasTurn: true,
    isOpen: false,
    async holds(id) {
      expect(await job(id)).toBeNull()
      const letter = await world.dead.getJob(deadLetterIdOf(id))
      expect(await letter?.getState()).toBe('failed')
      expect(letter?.data).toMatchObject({ messageId: id, attempts: [{ errcode: 45015 }] })
    },
  },
  'await-user': {
    settlement: {
      kind: 'await-user',
      attempts: [attemptMade({ outcome: 'waiting-for-user', errcode: 45015 })],
    },
    hasTurn: true,
    isOpen: true,
    async holds(id) {
      expect(await job(id)).toMatchObject({ awaitsUser: true, settled: false, tries: 0, history: [{}] })
      expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull()
      expect(await world.redis.zrange(keys.sendAwaitingUser, '0', '-1')).toEqual([id])
    },
  },
  'give-back': {
    settlement: { kind: 'give-back' },
    hasTurn: true,
    isOpen: true,
    async holds(id) {
      expect(await ids(keys.sendWait)).toContain(id)
      expect(await job(id)).toMatchObject({ settled: false, tries: 0, history: [] })
    },
  },
  park: {
    settlement: { kind: 'park' },
    hasTurn: false,
    isOpen: true,
    async holds(id) {
      expect(await job(id)).toMatchObject({ parked: true, tries: 0, history: [] })
      expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull()
    },
  },
}

interface OfKind {
  readonly name: string
  readonly kind: Kind
  readonly hand: FatedHand
  readonly held: Held
  readonly follower: string
}

/** A run of each kind, each of another worker, and behind its message another one to the same person. */
async function runsOfEachKind(): Promise<OfKind[]> {
  const runs: OfKind[] = []
  for (const [name, kind] of Object.entries(KINDS)) {
    const hand = fated.hand(name.replaceAll(' ', '-'), () => kind.hasTurn)
    const touser = `o-${name.replaceAll(' ', '-')}`
    await world.accept([text(touser)])
    const held = await hand.fetch()
    const [follower = ''] = await world.accept([text(touser)])
    // The other one goes first, and so a run of this one asks for its turn in vain.
    if (name === 'park')
      await world.redis.multi().lrem(keys.lane(touser), 1, follower).lpush(keys.lane(touser), follower).exec()
    expect(Boolean(await mark(held.id))).toBe(kind.hasTurn)
    runs.push({ name, kind, hand, held, follower })
  }
  return runs
}

/** Whatever is open is sent by another worker, and all of it once. */
async function deliverTheRest(runs: readonly OfKind[]): Promise<void> {
  await healLanes(world.store, APP, 0)
  await acts(world, 'o-await-user')
  const sent: string[] = []
  const { consumer, dead, problems } = await world.consumer(delivering(sent))
  const open = runs.flatMap(({ kind, held, follower }) => (kind.isOpen ? [held.id, follower] : [follower]))
  await until(() => expect(sent.toSorted()).toEqual(open.toSorted()))
  await until(async () => expect(await world.redis.keys(`${keys.lanes}*`)).toEqual([]))
  expect(await consumer.close(2000)).toBe(true)
  expect(sent).toHaveLength(open.length)
  for (const { name, kind, held, follower } of runs) {
    if (kind.isOpen && name !== 'park') expect(sent.indexOf(held.id)).toBeLessThan(sent.indexOf(follower))
  }
  expect([dead, problems]).toEqual([[], []])
  expect(await world.redis.zcard(keys.deadFailed)).toBe(1)
  expect(await world.redis.exists(keys.sendActive, keys.sendFailed)).toBe(0)
}

const ERRORS = [
  'READONLY',
  'NOREPLICAS',
  'OOM',
  'BUSY',
  'MISCONF',
  'NOSCRIPT',
  'LOADING',
] as const satisfies readonly RedisErrorName[]
const refusal = (name: RedisErrorName): OneFate => ({ refuse: REDIS_ERRORS[name] })

async function expectAllHold(runs: readonly OfKind[]): Promise<void> {
  for (const { kind, held } of runs) {
    await kind.holds(held.id)
    expect(await mark(held.id)).toBeOneOf([null, ''])
  }
}

describe.each(ERRORS)('a settlement of any kind that Redis answers with %s', (error) => {
  // The client repeats a script that Redis does not know, by itself.
  const isSeen = error !== 'NOSCRIPT'

  it('once holds all the same, and the process says so once', async () => {
    const runs = await runsOfEachKind()
    for (const { hand } of runs) hand.meets([refusal(error)])
    const settled = await Promise.all(runs.map(({ held, kind }) => held.settle(kind.settlement)))
    expect(settled.map(({ outcome }) => outcome)).toEqual(runs.map(() => 'done'))
    await expectAllHold(runs)
    for (const { hand } of runs) {
      expect(hand.settler.trouble()).toBeUndefined()
      const told = { error: expect.stringContaining(error), pending: 1, sinceMs: expect.any(Number) }
      expect(hand.said).toEqual(isSeen ? [told, 'settled again'] : [])
    }
    await deliverTheRest(runs)
  })

  it('until others have taken the message over holds all the same', async () => {
    const runs = await runsOfEachKind()
    for (const { hand } of runs) hand.meets([refusal(error)], 'for ever')
    const settling = Promise.all(runs.map(({ held, kind }) => held.settle(kind.settlement)))
    if (isSeen) {
      for (const { hand } of runs) await until(() => expect(hand.settler.trouble()?.error).toContain(error))
      // Longer than the lease: the locks are gone, and the messages wait for any worker.
      await world.redis.del(...runs.map(({ held }) => keys.sendLock(held.id)))
      await giveStalledBack(world)
    }
    for (const { hand } of runs) hand.meets([])
    const outcomes = (await settling).map(({ outcome }) => outcome)
    // A run without a lock or a mark has nothing left to say, and its message waits already.
    expect(outcomes).toEqual(runs.map(({ kind }) => (isSeen && !kind.hasTurn ? 'gone' : 'done')))
    await expectAllHold(runs.filter((_, n) => outcomes[n] === 'done'))
    for (const { hand } of runs) {
      expect(hand.settler.trouble()).toBeUndefined()
      expect(hand.said).toHaveLength(isSeen ? 2 : 0)
    }
    await deliverTheRest(runs)
  })

  it('and then with silence, its answer lost with the connection, holds once', async () => {
    const runs = await runsOfEachKind()
    for (const { hand } of runs) hand.meets([refusal(error), 'lose-reply'])
    const settled = await Promise.all(runs.map(({ held, kind }) => held.settle(kind.settlement)))
    // What was executed is found again: an end as what it is, and what goes on as another run's.
    expect(settled.map(({ outcome }) => outcome)).toEqual(runs.map(({ kind }) => (kind.isOpen ? 'gone' : 'done')))
    await expectAllHold(runs)
    await deliverTheRest(runs)
  })

  it('fetches once, while it is asked for another message in the same step', async () => {
    const [first = '', second = '', third = ''] = await world.accept(['o-1', 'o-2', 'o-3'].map((one) => text(one)))
    const hand = fated.hand('fetching')
    hand.meets([refusal(error)])
    const held = await hand.fetch()
    expect(held.id).toBe(first)
    hand.meets([refusal(error), refusal(error)])
    expect(await held.settle(DELIVERED, true)).toMatchObject({ outcome: 'done', fetched: { id: second, tries: 0 } })
    expect([await ids(keys.sendActive), await ids(keys.sendWait)]).toEqual([[second], [third]])
    expect(await mark(second)).toContain('fetching:1')
  })
})
