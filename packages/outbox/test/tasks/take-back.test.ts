// What a task has replayed becomes dead letters again, if nobody has tried to send it.
import { replayIdOf } from '@wechat-outbox/messages'
import { expect, it, vi } from 'vitest'
import { inspectLanes, listDeadLetters, type Run, requestReplay } from '../../src/engine.ts'
import { cancelTask } from '../../src/tasks/task.ts'
import {
  carryOut,
  crowd,
  expectOrder,
  letDie,
  receivers,
  round,
  start,
  storeAround,
  untilEnded,
  untilReceived,
} from '../support/tasks.ts'
import { APP, ASKING, keys, memberOf, ownWorld, retry, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const allLetters = async () => (await listDeadLetters(world.store, APP, { limit: 1000 })).items
/** Everything that stands in Redis of dead letters. */
async function dumpOf(ids: readonly string[]): Promise<unknown> {
  const hashes = await Promise.all(ids.map((id) => world.redis.hgetall(keys.deadJob(id))))
  const indexes = await world.redis.keys(`${keys.prefix}:dead:*`)
  const members = await Promise.all(
    indexes.toSorted().map(async (key) => [key, await world.redis.zrange(key, '0', '-1', 'WITHSCORES')]),
  )
  const parsed = hashes.map(({ data = '', ...rest }) => ({ ...rest, data: JSON.parse(data) as unknown }))
  return { parsed, members, failed: await world.redis.zrange(keys.deadFailed, '0', '-1', 'WITHSCORES') }
}

async function lanesAgree(): Promise<void> {
  const found = []
  for await (const problem of inspectLanes(world.store, { appid: APP, againAfterMs: 0 })) found.push(problem)
  expect(found).toEqual([])
}

it('returns letters whole: the same ids, reasons and history, in every list, as if nothing had been', async () => {
  const ids = await letDie(world, crowd(120, 7, ['45015', '45047']))
  const [expiring = ''] = ids
  const json = JSON.parse((await world.redis.hget(keys.deadJob(expiring), 'data')) ?? '')
  const times = {
    sendAt: Date.now() - 5000,
    expiresAt: Date.now() + 3_600_000,
    earlierReasons: ['40003 invalid-openid'],
  }
  const rich = { ...json, message: { ...json.message, ...times } }
  await world.redis.hset(keys.deadJob(expiring), 'data', JSON.stringify(rich))
  const before = await dumpOf(ids)
  const id = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, id)
  expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
  expect(await world.redis.zcard(keys.expiring)).toBe(1)
  expect(await cancelTask(world.store, { appid: APP, id }, true)).toMatchObject({
    kind: 'cancelled',
    task: { status: 'cancelled', done: 120, takenBack: 120 },
  })
  expect(await dumpOf(ids)).toEqual(before)
  expect(await world.redis.keys(`${keys.sendJobs}m-*`)).toEqual([])
  expect(await world.redis.keys(`${keys.lanes}*`)).toEqual([])
  expect(await world.redis.zcard(keys.expiring)).toBe(0)
  const outbox = world.outbox()
  expect(await outbox.status(`m-${expiring.slice(2)}`)).toMatchObject({ status: 'dead', deadLetter: expiring })
  expect(await outbox.status(replayIdOf(expiring))).toBeNull()
  // And it is replayed again like any other.
  const received = receivers()
  await world.consumer(received.deliver)
  await untilEnded(world, await start(world, { action: 'replay', filter: {} }))
  await untilReceived(received, 120)
  expectOrder(received)
})

it('tells a repeat with the idempotency key that the message is dead again', async () => {
  const outbox = world.outbox()
  const request = { ...text('o-key', '45015 1'), idempotencyKey: 'k-1' }
  const { id } = await outbox.send(request)
  await letDie(world, [['o-2', '45015']])
  await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('dead'), WAIT_MS)
  const task = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, task)
  expect(await outbox.send(request)).toMatchObject({ id, status: 'replayed' })
  await cancelTask(world.store, { appid: APP, id: task }, true)
  expect(await outbox.send(request)).toMatchObject({ id, status: 'dead', duplicate: true })
  await carryOut(world, await start(world, { action: 'replay', filter: {} }))
  expect(await outbox.send(request)).toMatchObject({ id, status: 'replayed' })
})

it('leaves what is in flight, what was tried, and what was delivered', async () => {
  const ids = await letDie(world, [
    ['o-flight', '45015'],
    ['o-tried', '45015'],
    ['o-delivered', '45015'],
    ['o-flight', '45015'],
    ['o-tried', '45015'],
    ['o-none', '45015'],
  ])
  const task = await start(world, { action: 'replay', ids: ids.slice(0, 5) })
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const begun: string[] = []
  const received = receivers()
  const { consumer } = await world.consumer(async (run) => {
    const { touser } = memberOf(run)
    if (touser === 'o-delivered') return received.deliver(run)
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    begun.push(touser)
    if (touser === 'o-tried') return retry(3_600_000)
    await held
    return retry(3_600_000)
  })
  await untilReceived(received, 1)
  await vi.waitFor(() => expect(new Set(begun)).toEqual(new Set(['o-flight', 'o-tried'])), WAIT_MS)
  await vi.waitFor(
    async () => expect(await world.redis.hget(keys.sendJob(replayIdOf(ids[1] ?? '')), 'atm')).toBe('1'),
    WAIT_MS,
  )
  expect(await cancelTask(world.store, { appid: APP, id: task }, true)).toMatchObject({
    task: { done: 5, takenBack: 2 },
  })
  expect(new Set((await allLetters()).map(({ id }) => id))).toEqual(new Set([ids[3], ids[4], ids[5]]))
  release()
  await consumer.close(1000)
  await lanesAgree()
  const outbox = world.outbox()
  const statuses = await Promise.all(ids.slice(0, 3).map(async (id) => (await outbox.status(replayIdOf(id)))?.status))
  expect(statuses).toEqual(['retrying', 'retrying', 'delivered'])
})

it('leaves what a worker has fetched and not begun to send', async () => {
  await letDie(world, [['o-1', '45015']])
  const task = await start(world, { action: 'replay', filter: {} })
  const { promise: fetched, resolve: tell } = Promise.withResolvers<void>()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const received = receivers()
  const deliver = async (run: Run) => {
    tell()
    await held
    return received.deliver(run)
  }
  await world.consumer(deliver, ASKING)
  await fetched
  expect(await cancelTask(world.store, { appid: APP, id: task }, true)).toMatchObject({
    task: { done: 1, takenBack: 0 },
  })
  release()
  await untilReceived(received, 1)
})

it.each([
  ['is settled', { settled: 'delivered' }],
  ['may have been sent by a worker that died', { sending: '1700000000000 token' }],
  ['was taken over', { stc: '1' }],
  ['has had a try', { atm: '1' }],
  ['has a history', { stacktrace: '["{}"]' }],
])('leaves a message that waits and %s', async (_what, marks) => {
  const [id = ''] = await letDie(world, [['o-1', '45015']])
  const task = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, task)
  const job = keys.sendJob(replayIdOf(id))
  await world.redis.hset(job, marks)
  expect(await cancelTask(world.store, { appid: APP, id: task }, true)).toMatchObject({ task: { takenBack: 0 } })
  expect(await world.redis.exists(job)).toBe(1)
  expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
})

it('leaves a message that became the replay of another letter while it was looked at', async () => {
  const [id = ''] = await letDie(world, [['o-1', '45015']])
  const task = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, task)
  const job = keys.sendJob(replayIdOf(id))
  const store = storeAround(world, job, () => world.redis.hset(job, 'was', '{}'))
  expect(await cancelTask(store, { appid: APP, id: task }, true)).toMatchObject({ task: { takenBack: 0 } })
  expect(await world.redis.exists(job)).toBe(1)
  expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
})

it('lets the next message to the person go', async () => {
  await letDie(world, [['o-1', '45015']])
  const task = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, task)
  const [next = ''] = await world.accept([text('o-1', '45015 1')])
  expect(await world.redis.hget(keys.sendJob(next), 'parked')).toBe('1')
  await cancelTask(world.store, { appid: APP, id: task }, true)
  expect(await world.redis.hget(keys.sendJob(next), 'parked')).toBe('0')
  expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([next])
})

it('loses and doubles nothing while workers send, and each person has got the earliest', async () => {
  const ids = await letDie(world, crowd(1500, 30))
  const received = receivers()
  const task = await start(world, { action: 'replay', filter: {} })
  const consumers = [await world.consumer(received.deliver), await world.consumer(received.deliver)]
  await vi.waitFor(() => expect(received.count()).toBeGreaterThan(100), { timeout: WAIT_MS, interval: 1 })
  const cancelled = await cancelTask(world.store, { appid: APP, id: task }, true)
  const { takenBack = 0, done = 0 } = cancelled?.task ?? {}
  await untilReceived(received, done - takenBack)
  for (const { consumer } of consumers) await consumer.close(2000)
  expect(received.count()).toBe(done - takenBack)
  expect(takenBack).toBeGreaterThan(0)
  const dead = new Set((await world.redis.zrange(keys.deadFailed, '0', '-1')) as string[])
  expect(dead.size).toBe(1500 - received.count())
  expectOrder(received)
  for (const [person, numbers] of received.got) {
    const theirs = ids.flatMap((_, n) => (`o-${n % 30}` === person ? [n] : []))
    expect({ person, numbers }).toEqual({ person, numbers: theirs.slice(0, numbers.length) })
    expect(theirs.filter((n) => dead.has(ids[n] ?? '')).length).toBe(theirs.length - numbers.length)
  }
  await lanesAgree()
})

it('is carried on by a worker where the caller has died, and is told', async () => {
  await letDie(world, crowd(130, 7))
  const id = await start(world, { action: 'replay', filter: {} })
  await carryOut(world, id)
  // As a caller leaves it that dies after its first step.
  await world.redis.hset(keys.task(id), 'takingBack', '1', 'status', 'cancelled')
  await world.redis.zadd(keys.tasksOpen, Date.now(), id)
  const told = []
  for (let rounds = 0; rounds < 5; rounds += 1) told.push(...(await round(world)).told)
  expect(told).toMatchObject([{ event: 'ended', task: { takenBack: 130, by: 'test@here' } }])
  expect(await world.redis.zcard(keys.deadFailed)).toBe(130)
  expect(await world.redis.zcard(keys.tasksOpen)).toBe(0)
})

it('takes nothing back of a discard, nor of single replays', async () => {
  const ids = await letDie(world, crowd(4, 2))
  const discard = await start(world, { action: 'discard', ids: ids.slice(0, 2) })
  await carryOut(world, discard)
  expect(await cancelTask(world.store, { appid: APP, id: discard }, true)).toMatchObject({
    kind: 'ended',
    task: { takenBack: 0 },
  })
  await requestReplay(world.store, APP, ids[2] ?? '')
  const task = await start(world, { action: 'replay', ids: ids.slice(2) })
  await carryOut(world, task)
  expect(await cancelTask(world.store, { appid: APP, id: task }, true)).toMatchObject({
    task: { done: 1, skipped: 1, takenBack: 1 },
  })
  expect((await allLetters()).map(({ id }) => id)).toEqual([ids[3]])
})
