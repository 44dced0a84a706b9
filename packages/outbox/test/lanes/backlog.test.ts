import { beforeEach, describe, expect, it, vi } from 'vitest'
import { readBacklog } from '../../src/lanes/backlog.ts'
import { APP, attemptMade, keys, memberOf, sharedWorld, text } from '../support/world.ts'

const HOUR_MS = 3_600_000
const world = sharedWorld()
beforeEach(async () => {
  await world.redis.flushall()
})

const read = (nowMs = Date.now()) => readBacklog(world.store, APP, nowMs)
const nothing = {
  send: { waiting: 0, active: 0, delayed: 0, failed: 0 },
  deadLetter: { waiting: 0, active: 0, failed: 0 },
  waitingForUser: 0,
  callback: { waiting: 0, delayed: 0, failed: 0 },
  receiverHeld: undefined,
}

describe('a backlog', () => {
  it('tells what waits for the receiver of callbacks, and how that is held', async () => {
    await world.redis.lpush(keys.callbackWait, 'c-1', 'c-2')
    await world.redis.zadd(keys.callbackDelayed, 1, 'c-3')
    await world.redis.zadd(keys.callbackFailed, 1, 'c-4')
    await world.redis.hset(keys.callbackHold, { kind: 'failing' })
    const callback = { waiting: 2, delayed: 1, failed: 1 }
    expect(await read()).toEqual({ ...nothing, oldestSince: null, callback, receiverHeld: 'failing' })
  })

  it('of an app that nobody knows is empty', async () => {
    expect(await read()).toEqual({ ...nothing, oldestSince: null })
  })

  it('counts what waits, what is sent and what comes later', async () => {
    const gate = Promise.withResolvers<void>()
    const outbox = world.outbox()
    const { consumer } = await world.consumer(
      async (run) => {
        const turn = await run.admit(memberOf(run))
        if (turn.kind !== 'go') return turn
        await gate.promise
        return { kind: 'delivered', attempts: [attemptMade()] }
      },
      { concurrency: 1 },
    )
    await outbox.send(text('o-1'))
    await vi.waitFor(async () => expect((await read()).send.active).toBe(1), 5000)
    await outbox.sendMany([text('o-2'), text('o-3'), { ...text('o-4'), sendAt: Date.now() + HOUR_MS }])
    expect(await read()).toMatchObject({ send: { waiting: 2, active: 1, delayed: 1, failed: 0 } })
    gate.resolve()
    await vi.waitFor(async () => expect((await read()).send).toMatchObject({ waiting: 0, active: 0, delayed: 1 }), 5000)
    await consumer.close(1000)
  })

  it('counts dead letters, and those that somebody has retried', async () => {
    for (const id of ['d-1', 'd-2']) await world.redis.zadd(keys.deadFailed, 1, id)
    await world.redis.lpush(keys.deadWait, 'd-3')
    expect((await read()).deadLetter).toEqual({ waiting: 1, active: 0, failed: 2 })
  })
})

describe('the oldest message', () => {
  it('is the one that has waited longest, wherever it stands', async () => {
    const outbox = world.outbox()
    const ids = (await outbox.sendMany(['a', 'b', 'c'].map((name) => text(`o-${name}`)))).map((receipt) =>
      'id' in receipt ? receipt.id : '',
    )
    const since = (index: number, at: number) => world.redis.hset(keys.sendJob(ids[index] ?? ''), 'timestamp', at)
    await since(0, 3000)
    await since(1, 2000)
    await since(2, 2500)
    expect((await read()).oldestSince).toBe(2000)
    // Retried: it waits among the delayed ones, and is still as old.
    await world.redis.lrem(keys.sendWait, 1, ids[1] ?? '')
    await world.redis.zadd(keys.sendDelayed, 1, ids[1] ?? '')
    expect((await read()).oldestSince).toBe(2000)
  })

  it('is none that is only due later, and waits from then on', async () => {
    const sendAt = Date.now() + HOUR_MS
    await world.outbox().send({ ...text('o-1'), sendAt })
    expect((await read()).oldestSince).toBeNull()
    expect((await read(sendAt + 1000)).oldestSince).toBe(sendAt)
  })

  it('survives jobs that are gone or hold nonsense', async () => {
    await world.redis.lpush(keys.sendWait, 'gone', 'odd', 'marker')
    await world.redis.hset(keys.sendJob('odd'), { timestamp: 'x', data: '{' })
    await world.redis.hset(keys.sendJob('marker'), { timestamp: '5000', data: '"text"' })
    expect(await read()).toMatchObject({ send: { waiting: 3 }, oldestSince: 5000 })
  })
})
