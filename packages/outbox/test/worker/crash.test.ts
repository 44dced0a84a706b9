// The moments for which single lines of the scripts are there: a worker dies, or somebody else acts, exactly between two
// steps. Each of these tests fails when its line is taken out.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { healLanes } from '../../src/lanes/heal.ts'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { readStatus } from '../../src/producer/status.ts'
import type { Store } from '../../src/redis/store.ts'
import type { Settlement } from '../../src/worker/run.ts'
import { burierOn, failed, untilDead } from '../support/dead.ts'
import { createHand, type Hand } from '../support/hand.ts'
import {
  APP,
  attemptMade,
  createWorld,
  DELIVERED,
  delivering,
  dies,
  keys,
  memberOf,
  retry,
  text,
  type World,
} from '../support/world.ts'

let world: World
let hand: Hand
beforeAll(async () => {
  world = await createWorld()
  hand = createHand(world)
})
beforeEach(() => world.redis.flushall())
afterAll(() => world.close())

const lane = (): Promise<string[]> => world.redis.lrange(keys.lane('o-one'), '0', '-1')
const waiting = (): Promise<string[]> => world.redis.lrange(keys.sendWait, '0', '-1')
/** So many messages to one person. */
const accepted = (count: number): Promise<string[]> => world.accept(Array.from({ length: count }, () => text('o-one')))

describe('a worker that dies', () => {
  it('holding a message that WeChat has, first in its lane, holds up nobody', async () => {
    const [first = '', second = ''] = await accepted(2)
    const holding = await hand.fetch()
    await world.redis.hset(keys.sendJob(first), 'settled', 'delivered')
    await healLanes(world.store, APP, 0)
    const follower = await hand.fetch()
    expect(follower.id).toBe(second)
    expect(await follower.run.admit(memberOf(follower.run))).toMatchObject({ kind: 'go' })
    expect(await holding.run.admit(memberOf(holding.run))).toEqual({ kind: 'settled' })
  })

  it('wakes the follower of such a message when it is found', async () => {
    const [first = '', second = ''] = await accepted(2)
    const holding = await hand.fetch()
    expect(await waiting()).toEqual([])
    await world.redis.hset(keys.sendJob(first), 'settled', 'delivered')
    expect(await holding.run.admit(memberOf(holding.run))).toEqual({ kind: 'settled' })
    expect(await waiting()).toEqual([second])
  })

  it('before its answer is recorded leaves a message that is finished without sending when the answer comes after all', async () => {
    const [first = '', second = ''] = await accepted(2)
    const slow = await hand.fetch()
    await slow.run.admit(memberOf(slow.run))
    await slow.die()
    expect(await slow.settle(DELIVERED)).toMatchObject({ outcome: 'done' })
    expect(await world.send.getCompletedCount()).toBe(1)
    expect((await hand.fetch()).id).toBe(second)
    expect(await lane()).toEqual([second])
    expect(first).toBe(slow.id)
  })

  it('before its answer is recorded has that recorded although another run has been admitted, which ends with it', async () => {
    const [first = '', second = ''] = await accepted(2)
    const slow = await hand.fetch()
    await slow.run.admit(memberOf(slow.run))
    await slow.die()
    const now = await hand.fetch()
    expect(await now.run.admit(memberOf(now.run))).toMatchObject({ kind: 'go', tries: 1 })
    expect(await slow.settle(DELIVERED)).toMatchObject({ outcome: 'done' })
    expect(await world.redis.hget(keys.sendJob(first), 'settled')).toBe('delivered')
    // WeChat has refused the second call, which is not the truth about the message.
    expect(await now.settle(dies())).toMatchObject({ outcome: 'settled' })
    expect(await world.dead.getJob(deadLetterIdOf(first))).toBeUndefined()
    expect(await world.send.getCompletedCount()).toBe(1)
    expect([await waiting(), await lane()]).toEqual([[second], [second]])
  })

  it.each<[string, Settlement]>([
    ['waits for its retry', retry(3_600_000)],
    [
      'waits for its user',
      { kind: 'await-user', attempts: [attemptMade({ outcome: 'waiting-for-user', errcode: 45015 })] },
    ],
  ])('before its answer is recorded is completed at once where it %s by then', async (_how, waits) => {
    const { id } = await world.outbox().send({ ...text('o-one'), onClosed: 'hold' })
    const slow = await hand.fetch()
    await slow.run.admit(memberOf(slow.run))
    await slow.die()
    const now = await hand.fetch()
    await now.run.admit(memberOf(now.run))
    await now.settle(waits)
    expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull()
    await slow.settle(DELIVERED)
    // Whoever fetches it finds that WeChat has it.
    const last = await hand.fetch()
    expect([last.id, await last.run.admit(memberOf(last.run))]).toEqual([id, { kind: 'settled' }])
    await last.settle({ kind: 'settled' })
    expect(await world.send.getCompletedCount()).toBe(1)
    expect(await world.redis.exists(keys.sendDelayed, keys.sendAwaitingUser, keys.expiring, keys.lane('o-one'))).toBe(0)
  })
})

describe('a worker that starts', () => {
  it('wakes the first of a lane that has stood still since another died', async () => {
    const [first = '', second = ''] = await accepted(2)
    const dying = await hand.fetch()
    // By hand: nobody is left who would take the first one off the lane and wake the second.
    await world.redis.multi().lrem(keys.sendActive, 1, first).del(keys.sendJob(first), keys.sendLock(dying.id)).exec()
    await world.redis.zadd(keys.parkedLanes, 1, keys.lane('o-one'))
    const sent: string[] = []
    const { consumer } = await world.consumer(delivering(sent))
    onTestFinished(async () => void (await consumer.close(2000)))
    await vi.waitFor(() => expect(sent).toEqual([second]), 10_000)
  })
})

describe('a run', () => {
  it('has its whole lease again from its admission', async () => {
    await accepted(1)
    const held = await hand.fetch()
    await world.redis.pexpire(keys.sendLock(held.id), 5000)
    await held.run.admit(memberOf(held.run))
    expect(await world.redis.pttl(keys.sendLock(held.id))).toBeGreaterThan(30_000)
  })

  it('makes no job of one that was removed under it, neither by asking for its turn nor by settling', async () => {
    await world.accept([text('o-one'), text('o-two')])
    const asking = await hand.fetch()
    await world.redis.del(keys.sendJob(asking.id))
    expect(await asking.run.admit(memberOf(asking.run))).toEqual({ kind: 'lost' })
    const settling = await hand.fetch()
    expect(await settling.run.admit(memberOf(settling.run))).toMatchObject({ kind: 'go' })
    await world.redis.del(keys.sendJob(settling.id))
    await settling.settle(DELIVERED)
    expect(await world.redis.exists(keys.sendJob(asking.id), keys.sendJob(settling.id))).toBe(0)
    expect(await world.redis.exists(keys.lane('o-two'))).toBe(0)
  })

  it('does not take back the mark of the run that has the message now', async () => {
    await accepted(1)
    const slow = await hand.fetch()
    await slow.run.admit(memberOf(slow.run))
    await slow.die()
    const now = await hand.fetch()
    expect(await now.run.admit(memberOf(now.run))).toMatchObject({ kind: 'go', tries: 1 })
    expect(await slow.run.unmark()).toBe(false)
    expect(await world.redis.hget(keys.sendJob(now.id), 'sending')).toContain(now.token)
  })
})

/** A store on which something happens between what a step reads of a job and what it does about it, once. */
function withMeanwhile(meanwhile: () => Promise<unknown>): Store {
  let happened = false
  const redis = Object.create(world.redis) as typeof world.redis
  redis.hgetall = (async (key: string) => {
    const read = await world.redis.hgetall(key)
    if (!happened) {
      happened = true
      await meanwhile()
    }
    return read
  }) as typeof redis.hgetall
  return { ...world.store, redis }
}

describe('cancelling', () => {
  it('comes too late for what a worker holds all the same, and for what has failed and was not moved yet', async () => {
    const [held = ''] = await accepted(1)
    await world.redis.set(keys.sendLock(held), 'a worker', 'PX', 60_000)
    const [over = ''] = await failed(world, 'o-two')
    for (const id of [held, over]) {
      expect(await cancelMessage(world.store, { appid: APP, id }, 60_000)).toBe('too-late')
      expect(await world.redis.exists(keys.sendJob(id))).toBe(1)
    }
    expect(await lane()).toEqual([held])
  })
})

describe('between a look and what follows from it', () => {
  it.each([
    ['fetches the message', () => hand.fetch()],
    ['settles it late', async () => world.redis.hset(keys.sendJob((await lane())[0] ?? ''), 'settled', 'delivered')],
  ])('somebody %s, and it is not cancelled', async (_what, meanwhile) => {
    const [id = ''] = await accepted(1)
    const store = withMeanwhile(meanwhile)
    expect(await cancelMessage(store, { appid: APP, id }, 60_000)).toBe('too-late')
    expect(await world.redis.exists(keys.sendJob(id))).toBe(1)
    expect(await lane()).toEqual([id])
  })

  it('somebody tries the message, and what is said of the cancelled one tells of that', async () => {
    const [id = ''] = await accepted(1)
    const store = withMeanwhile(async () => {
      const held = await hand.fetch()
      await held.run.admit(memberOf(held.run))
      await held.settle(retry(60_000))
    })
    expect(await cancelMessage(store, { appid: APP, id }, 60_000)).toBe('cancelled')
    expect((await readStatus(world.store, APP, id))?.attempts).toHaveLength(1)
  })

  it('the failed message is retried and fails again, and its letter is not of the time before', async () => {
    const [id = ''] = await failed(world, 'o-one')
    const again = () => world.redis.hincrby(keys.sendJob(id), 'ats', 1)
    const { burier } = burierOn(withMeanwhile(again))
    expect(await burier.bury(id)).toEqual({ kind: 'changed' })
    expect(await burier.bury(id)).toMatchObject({ kind: 'dead' })
  })

  it('WeChat has taken the failed message, and it is not dead', async () => {
    const [id = ''] = await failed(world, 'o-one')
    const taken = () => world.redis.hset(keys.sendJob(id), 'settled', 'delivered')
    expect(await burierOn(withMeanwhile(taken)).burier.bury(id)).toEqual({ kind: 'settled' })
    expect(await world.dead.getJob(deadLetterIdOf(id))).toBeUndefined()
    expect(await world.redis.exists(keys.sendJob(id), keys.lane('o-one'), keys.sendFailed)).toBe(0)
  })

  it('somebody retries the failed message, and it is not dead', async () => {
    const [id = ''] = await failed(world, 'o-one')
    const retry = async () => (await world.send.getJob(id))?.retry()
    expect(await burierOn(withMeanwhile(retry)).burier.bury(id)).toEqual({ kind: 'changed' })
    expect(await world.dead.getJob(deadLetterIdOf(id))).toBeUndefined()
    expect([await waiting(), await lane()]).toEqual([[id], [id]])
  })
})

describe('a failed message', () => {
  it('that a worker holds all the same is left alone', async () => {
    const [id = ''] = await failed(world, 'o-one')
    await world.redis.set(keys.sendLock(id), 'a worker', 'PX', 60_000)
    const { burier, dead } = burierOn(world.store)
    expect(await burier.sweep()).toBe(0)
    expect([dead, await lane()]).toEqual([[], [id]])
    expect(await world.dead.getJob(deadLetterIdOf(id))).toBeUndefined()
  })

  it('whose dead letter would take the place of another’s is left alone, and said', async () => {
    const [id = ''] = await failed(world, 'o-one')
    const deadId = deadLetterIdOf(id)
    await world.dead.add('text', { messageId: 'm-another', acceptedAt: 1 }, { jobId: deadId })
    const { burier, occupied } = burierOn(world.store)
    expect(await burier.sweep()).toBe(0)
    expect(occupied).toEqual([deadId])
    expect(await world.redis.zrange(keys.sendFailed, '0', '-1')).toEqual([id])
    expect((await world.dead.getJob(deadId))?.data).toEqual({ messageId: 'm-another', acceptedAt: 1 })
  })

  it('that has such a dead letter by its own run stays as well, and holds up nobody', async () => {
    const [id = '', next = ''] = await accepted(2)
    const deadId = deadLetterIdOf(id)
    await world.dead.add('text', { messageId: 'm-another', acceptedAt: 1 }, { jobId: deadId })
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    expect(await held.settle(dies())).toMatchObject({ outcome: 'occupied' })
    expect(await world.redis.zrange(keys.sendFailed, '0', '-1')).toEqual([id])
    expect(await world.redis.exists(keys.sendJob(id))).toBe(1)
    expect((await world.dead.getJob(deadId))?.data).toEqual({ messageId: 'm-another', acceptedAt: 1 })
    expect([await waiting(), await lane()]).toEqual([[next], [next]])
  })

  it('is not stepped over by a sweep when another has vanished before it', async () => {
    // One more than a sweep takes at once, and another worker moves the second while the first is being looked at.
    const ids = await failed(world, 'o-one', 201)
    const [, second = ''] = await world.redis.zrange(keys.sendFailed, '0', '1')
    const vanish = () => world.redis.zrem(keys.sendFailed, second)
    const { burier } = burierOn(withMeanwhile(vanish))
    expect(await burier.sweep()).toBe(ids.length - 1)
    expect(await world.redis.exists(keys.sendFailed)).toBe(0)
  })
})

describe('a replay', () => {
  it('does nothing to a message that stands where its own would, and the letter stays', async () => {
    const [id = ''] = await failed(world, 'o-one')
    await burierOn(world.store).burier.bury(id)
    await world.send.add('text', { v: 1, ...text('o-other') }, { jobId: `${id}-1` })
    const letter = deadLetterIdOf(id)
    await requestReplay(world.store, APP, letter)
    const options = { store: world.store, appid: APP, rememberMs: 60_000, perSecond: 0 }
    expect(await replayRetried(options)).toMatchObject({ replayed: [], refused: [{ id: letter }] })
    expect(await lane()).toEqual([])
    expect(await (await untilDead(world, id)).getState()).toBe('failed')
  })
})
