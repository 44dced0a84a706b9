// What a task comes to: which letters it finds, how it counts them, and what it leaves behind.
import { describe, expect, it, vi } from 'vitest'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { selectLetters } from '../../src/tasks/select.ts'
import { cancelTask, createTask, listTasks, openTasks, TASKS_OPEN_MAX } from '../../src/tasks/task.ts'
import {
  carryOut,
  crowd,
  expectOrder,
  letDie,
  receivers,
  round,
  start,
  storeAround,
  taskOf,
  untilEnded,
  untilReceived,
} from '../support/tasks.ts'
import { APP, keys, ownWorld, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const deadIds = () => world.redis.zrange(keys.deadFailed, '0', '-1')

describe('a replay', () => {
  it('replays what its filter means, oldest first, and counts exactly', async () => {
    const ids = await letDie(world, crowd(400, 20, ['45015', '45047', '40003']))
    const filter = { errcode: ['45015', '45047'], notTouser: ['o-3'] }
    const meant = ids.filter((_, n) => n % 3 !== 2 && n % 20 !== 3)
    const received = receivers()
    const { tasks, replayed } = await world.consumer(received.deliver)
    const id = await start(world, { action: 'replay', filter })
    expect(await untilEnded(world, id)).toMatchObject({
      action: 'replay',
      filter,
      status: 'done',
      total: meant.length,
      done: meant.length,
      skipped: 0,
      failed: 0,
      by: 'test@here',
    })
    await untilReceived(received, meant.length)
    expectOrder(received)
    expect(received.got.has('o-3')).toBe(false)
    await vi.waitFor(() => expect(replayed.map(({ replayOf }) => replayOf)).toEqual(meant), WAIT_MS)
    await vi.waitFor(() => expect(tasks.map(({ event }) => event)).toEqual(['started', 'ended']), WAIT_MS)
    expect(tasks.map(({ task }) => task.by)).toEqual(['test@here', 'test@here'])
    expect((await deadIds()).length).toBe(400 - meant.length)
  })

  it.each([
    ['people', { touser: ['o-1', 'o-4'] }, (n: number) => [1, 4].includes(n % 10)],
    ['people and a code', { touser: ['o-1'], errcode: ['40003'] }, (n: number) => n % 10 === 1 && n % 2 === 1],
    ['a reason of ours', { errcode: ['expired'] }, () => false],
    ['the first so many', { limit: 7 }, (n: number) => n < 7],
    ['the first so many of a code', { limit: 5, errcode: ['40003'] }, (n: number) => n % 2 === 1 && n < 10],
    ['all', {}, () => true],
  ])('finds %s', async (_what, filter, isMeant) => {
    const ids = await letDie(world, crowd(60, 10, ['45015', '40003']))
    const id = await start(world, { action: 'replay', filter })
    await carryOut(world, id)
    const meant = ids.filter((_, n) => isMeant(n))
    expect(await taskOf(world, id)).toMatchObject({ total: meant.length, done: meant.length })
    expect(new Set(await deadIds())).toEqual(new Set(ids.filter((_, n) => !isMeant(n))))
  })

  it('leaves alone what dies after it was started', async () => {
    const ids = await letDie(world, crowd(10, 5))
    const [later = ''] = ids
    const deadAt = Date.now() + 60_000
    const letter = JSON.parse((await world.redis.hget(keys.deadJob(later), 'data')) ?? '')
    await world.redis.hset(keys.deadJob(later), 'data', JSON.stringify({ ...letter, deadAt }))
    await world.redis.zadd(keys.deadByTime, deadAt, later)
    const id = await start(world, { action: 'replay', filter: {} })
    await carryOut(world, id)
    expect(await taskOf(world, id)).toMatchObject({ total: 9, done: 9 })
    expect(await deadIds()).toEqual([later])
  })

  it('takes ids, counts those that are not there as skipped, and what holds no message as failed', async () => {
    const ids = await letDie(world, crowd(5, 5))
    const [first = '', second = '', third = '', fourth = ''] = ids
    const key = keys.deadJob(second)
    const letter = JSON.parse((await world.redis.hget(key, 'data')) ?? '')
    await world.redis.hset(key, 'data', JSON.stringify({ ...letter, message: { unreadable: 'x' } }))
    await discardDeadLetter(world.store, { appid: APP, id: third }, 1000)
    await requestReplay(world.store, APP, fourth)
    const id = await start(world, { action: 'replay', ids: [first, second, third, fourth, 'd-none'] })
    await carryOut(world, id)
    expect(await taskOf(world, id)).toMatchObject({ filter: null, total: 5, done: 1, failed: 1, skipped: 3 })
    expect(await deadIds()).toEqual([second, ids[4]])
    expect(await world.redis.hget(key, 'failedReason')).toBe('45015 code-45015')
    expect(await world.redis.exists(keys.taskGiven(id), keys.taskLetters(id), keys.taskLettersOf(id))).toBe(0)
  })

  it('gives one message each when two have the same letters; the second skips', async () => {
    const ids = await letDie(world, crowd(300, 7))
    const both = [
      await start(world, { action: 'replay', filter: {} }),
      await start(world, { action: 'replay', ids: ids.slice(0, 200) }),
    ]
    const received = receivers()
    await world.consumer(received.deliver)
    await world.consumer(received.deliver)
    const [one, other] = [await untilEnded(world, both[0] ?? ''), await untilEnded(world, both[1] ?? '')]
    expect([one.total, other.total]).toEqual([300, 200])
    for (const { total, done, skipped, failed } of [one, other]) {
      expect(done + skipped + failed).toBe(total)
      expect(failed).toBe(0)
    }
    expect(one.done + other.done).toBe(300)
    await untilReceived(received, 300)
    expectOrder(received)
  })

  it('keeps to its rate', async () => {
    await letDie(world, crowd(40, 4))
    const id = await start(world, { action: 'replay', filter: {}, perSecond: 20 })
    await round(world)
    await round(world)
    const began = performance.now()
    while ((await taskOf(world, id)).status === 'running') {
      await round(world)
      const { done } = await taskOf(world, id)
      // A tenth of a second's letters may come at once.
      expect(done).toBeLessThanOrEqual(4 + Math.ceil(((performance.now() - began) / 1000) * 20))
    }
    expect(performance.now() - began).toBeGreaterThan(1500)
  })

  it('leaves a letter that Redis refuses for good, and ends', async () => {
    const ids = await letDie(world, crowd(6, 3))
    await world.redis.hset(keys.lane('o-1'), 'spoilt', 'by hand')
    const id = await start(world, { action: 'replay', filter: {} })
    await carryOut(world, id)
    expect(await taskOf(world, id)).toMatchObject({ total: 6, done: 4, failed: 2 })
    expect(await deadIds()).toEqual([ids[1], ids[4]])
  })
})

describe('a discard', () => {
  it('removes what its filter means for good', async () => {
    const ids = await letDie(world, crowd(130, 10, ['45015', '40003']))
    const outbox = world.outbox()
    await world.consumer(receivers().deliver)
    const id = await start(world, { action: 'discard', filter: { errcode: ['40003'] } })
    expect(await untilEnded(world, id)).toMatchObject({ action: 'discard', total: 65, done: 65, skipped: 0 })
    expect(new Set(await deadIds())).toEqual(new Set(ids.filter((_, n) => n % 2 === 0)))
    expect((await outbox.status(`m-${ids[1]?.slice(2)}`))?.status).toBe('discarded')
  })

  it('skips what somebody has retried', async () => {
    const [first = ''] = await letDie(world, crowd(2, 2))
    await requestReplay(world.store, APP, first)
    // It is asked for, and not carried out yet.
    await world.redis.hset(`${keys.deadJobs}meta`, 'paused', '1')
    const id = await start(world, { action: 'discard', filter: {} })
    await carryOut(world, id)
    expect(await world.redis.exists(keys.deadJob(first))).toBe(1)
    expect(await taskOf(world, id)).toMatchObject({ total: 2, done: 1, skipped: 1 })
  })
})

describe('a task that is cancelled', () => {
  it('does nothing more from that moment on', async () => {
    await letDie(world, crowd(200, 10))
    const id = await start(world, { action: 'replay', filter: {} })
    while ((await taskOf(world, id)).done === 0) await round(world)
    const { done } = await taskOf(world, id)
    // A batch that is under way meets the end of its task in Redis.
    let cancelled: unknown
    const cancel = async () => (cancelled = await cancelTask(world.store, { appid: APP, id, by: 'anna@desk' }, false))
    await round({ store: storeAround(world, keys.deadJobs, cancel) })
    expect(cancelled).toMatchObject({ kind: 'cancelled' })
    const after = await taskOf(world, id)
    expect(after).toMatchObject({ status: 'cancelled', total: 200, done, cancelledBy: 'anna@desk' })
    await round(world)
    expect((await taskOf(world, id)).done).toBe(done)
    expect((await deadIds()).length).toBe(200 - done)
    expect(await cancelTask(world.store, { appid: APP, id }, false)).toMatchObject({ kind: 'ended' })
    expect(await cancelTask(world.store, { appid: APP, id: 'r-none' }, false)).toBeNull()
  })

  it('ends while its letters are being found: what a worker has found by then is left alone', async () => {
    await letDie(world, crowd(20, 10))
    const id = await start(world, { action: 'replay', filter: {} })
    const [seen] = await openTasks(world.store, APP)
    if (seen === undefined) throw new Error('it is not open')
    await cancelTask(world.store, { appid: APP, id }, false)
    expect(await selectLetters({ store: world.store, appid: APP }, seen)).toBe('changed')
    expect(await world.redis.keys(`${keys.task(id)}*`)).toEqual([keys.task(id)])
    await round(world)
    expect(await taskOf(world, id)).toMatchObject({ status: 'cancelled', total: null })
    expect((await deadIds()).length).toBe(20)
  })
})

describe('what is kept', () => {
  it('is bounded: tasks that run, and tasks that have ended', async () => {
    const open: string[] = []
    for (let n = 0; n < TASKS_OPEN_MAX; n += 1) open.push(await start(world, { action: 'replay', ids: ['d-1'] }))
    expect(await createTask(world.store, APP, { action: 'replay', ids: ['d-1'], by: 'x' })).toBeNull()
    for (const id of open) await carryOut(world, id)
    for (let n = 0; n < 110; n += 1) await carryOut(world, await start(world, { action: 'discard', ids: ['d-1'] }))
    const kept = await listTasks(world.store, APP)
    expect(kept.length).toBe(100)
    expect(kept.map(({ id }) => id)).toEqual(
      kept
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    )
    const left = await world.redis.keys(`${keys.tasks}*`)
    expect(left.length).toBe(100)
    const days = (await world.redis.pttl(keys.task(kept[0]?.id ?? ''))) / 86_400_000
    expect(days).toBeGreaterThan(6.9)
    expect(days).toBeLessThanOrEqual(7)
  })

  it('is nothing of a task that was not created, and the ids of one that was do not expire before it', async () => {
    const open: string[] = []
    for (let n = 0; n < TASKS_OPEN_MAX; n += 1) open.push(await start(world, { action: 'replay', ids: ['d-1'] }))
    expect(await createTask(world.store, APP, { action: 'replay', ids: ['d-1'], by: 'x' })).toBeNull()
    const given = await world.redis.keys(`${keys.tasks}*:given`)
    expect(new Set(given)).toEqual(new Set(open.map(keys.taskGiven)))
    for (const key of given) expect(await world.redis.pttl(key)).toBe(-1)
  })
})
