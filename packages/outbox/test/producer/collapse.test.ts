// A newer message with the same collapse key takes the place of an older one that nobody can have got, wherever that waits; and of
// no other.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Consumer, ConsumerOptions } from '../../src/worker/consumer.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { createHand, giveStalledBack } from '../support/hand.ts'
import { acts, createTruth, type Truth } from '../support/windows.ts'
import { attemptMade, DELIVERED, keys, memberOf, retry, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const PERSON = 'o-collapse'

const world = sharedWorld()
let truth: Truth
let consumers: Consumer[] = []
beforeEach(async () => {
  await world.redis.flushall()
  truth = createTruth()
})
afterEach(async () => {
  await Promise.all(consumers.map((one) => one.close(1000)))
  consumers = []
})

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 10 })
const send = async (key: string | undefined, more: object = {}): Promise<string> =>
  (
    await world
      .outbox()
      .send({ ...text(PERSON, String(key)), ...(key === undefined ? {} : { collapseKey: key }), ...more })
  ).id
const status = async (id: string) => (await world.outbox().status(id))?.status
async function work(
  options: Partial<ConsumerOptions> = {},
  deliver: (run: Run) => Promise<Settlement> = truth.deliver,
) {
  const started = await world.consumer(deliver, options)
  consumers.push(started.consumer)
}

async function expectReplaced(older: string, newer: string): Promise<void> {
  expect(await world.outbox().status(older)).toMatchObject({
    status: 'superseded',
    supersededBy: newer,
    settledAt: expect.any(String),
    attempts: [],
  })
}

describe.each([
  ['our own fetch', {}],
  ['BullMQ’s own fetch', { maxPerSecond: 10_000 }],
])('with %s, a message with the key of an older one', (_how, options) => {
  it('takes its place at the front, and only the newest is sent', async () => {
    const first = await send('order-7')
    const other = await send(undefined)
    const second = await send('order-7')
    const third = await send('order-7')
    await expectReplaced(first, second)
    await expectReplaced(second, third)
    expect(await world.redis.lrange(keys.lane(PERSON), '0', '-1')).toEqual([third, other])
    await work(options)
    await until(() => expect(truth.taken).toEqual([third, other]))
    await until(async () => expect(await status(other)).toBe('delivered'))
    await expectReplaced(first, second)
    expect(await world.redis.keys('*:lane:*')).toEqual([])
    expect(await world.redis.llen(keys.sendActive)).toBe(0)
  })
})

it('takes the place of one that is parked behind others', async () => {
  const front = await send('a')
  const older = await send('b')
  const last = await send('c')
  const newer = await send('b')
  await expectReplaced(older, newer)
  expect(await status(newer)).toBe('held')
  await work()
  await until(() => expect(truth.taken).toEqual([front, newer, last]))
})

it('waits for the user in place of one that waited, for as long', async () => {
  await acts(world, PERSON)
  await world.redis.hset(keys.window(PERSON), 'used', 5)
  const older = await send('order-7', { onClosed: 'hold' })
  await work()
  await until(async () => expect(await status(older)).toBe('waiting-for-user'))
  const since = await world.redis.hget(keys.sendJob(older), 'awaitsSince')
  const ends = await world.redis.zscore(keys.expiring, older)
  const newer = await send('order-7', { onClosed: 'hold' })
  await expectReplaced(older, newer)
  expect(await status(newer)).toBe('waiting-for-user')
  expect(await world.redis.hget(keys.sendJob(newer), 'awaitsSince')).toBe(since)
  expect(await world.redis.zrange(keys.expiring, '0', '-1', 'WITHSCORES')).toEqual([newer, ends])
  expect(await world.redis.zrange(keys.sendAwaitingUser, '0', '-1')).toEqual([newer])
  // One that would not wait is sent, and what the ledger says is its own to judge.
  const firm = await send('order-7', { onClosed: 'dead-letter' })
  await until(() => expect(truth.taken).toEqual([firm]))
  expect(await world.redis.exists(keys.sendAwaitingUser)).toBe(0)
})

it('waits for the user in place of one with an end of its own, and does not inherit that', async () => {
  await acts(world, PERSON)
  await world.redis.hset(keys.window(PERSON), 'used', 5)
  const older = await send('order-7', { onClosed: 'hold', expiresAt: Date.now() + 30 * 86_400_000 })
  await work()
  await until(async () => expect(await status(older)).toBe('waiting-for-user'))
  const newer = await send('order-7', { onClosed: 'hold' })
  expect(await status(newer)).toBe('waiting-for-user')
  expect(await world.redis.exists(keys.expiring)).toBe(0)
  // Tried after six hours at the latest, it waits on, and has the end of its wait.
  await world.redis.zadd(keys.sendDelayed, 1, newer)
  truth.allow(PERSON, 0)
  await world.redis.zadd(keys.sendMarker, 0, '0')
  await until(() => expect(truth.refused).toEqual([newer]))
  await until(async () => expect(await status(newer)).toBe('waiting-for-user'))
  const since = Number(await world.redis.hget(keys.sendJob(newer), 'awaitsSince'))
  expect(Number(await world.redis.zscore(keys.expiring, newer))).toBe(since + 7 * 86_400_000)
})

it('replaces one that is scheduled, and keeps to its own time', async () => {
  const older = await send('order-7', { sendAt: Date.now() + 60_000, expiresAt: Date.now() + 120_000 })
  const newer = await send('order-7')
  await expectReplaced(older, newer)
  expect(await world.redis.exists(keys.expiring, keys.sendDelayed)).toBe(0)
  const later = await send('order-7', { sendAt: Date.now() + 60_000 })
  await expectReplaced(newer, later)
  expect(await status(later)).toBe('scheduled')
  expect(await world.redis.exists(keys.lane(PERSON))).toBe(0)
})

it('lets those behind the older one go where it is for later itself', async () => {
  const older = await send('order-7')
  const behind = await send(undefined)
  expect(await status(behind)).toBe('held')
  await expectReplaced(older, await send('order-7', { sendAt: Date.now() + 60_000 }))
  expect(await status(behind)).toBe('queued')
})

it('replaces nothing that may have reached WeChat, nor another person’s', async () => {
  const sending = Promise.withResolvers<void>()
  truth.duringCall = () => sending.promise
  const first = await send('order-7')
  await work({ concurrency: 1 })
  await until(async () => expect(await status(first)).toBe('sending'))
  const second = await send('order-7')
  expect(await status(first)).toBe('sending')
  expect(await status(second)).toBe('held')
  sending.resolve()
  await until(() => expect(truth.taken).toEqual([first, second]))
  const { id } = await world.outbox().send({ ...text('o-other'), collapseKey: 'order-7' })
  await until(() => expect(truth.taken).toEqual([first, second, id]))
})

describe('does not replace one', () => {
  it('that a worker holds, although it has no turn yet', async () => {
    const first = await send('order-7')
    const held = await createHand(world).fetch()
    expect(await world.redis.hget(keys.sendJob(first), 'sending')).toBeNull()
    const second = await send('order-7')
    expect([await status(first), await status(second)]).toEqual(['sending', 'held'])
    await held.run.admit(memberOf(held.run))
    await held.settle(DELIVERED)
    expect([await status(first), await status(second)]).toEqual(['delivered', 'queued'])
  })

  it('that a dead worker may have sent, although nobody holds it any more', async () => {
    const first = await send('order-7')
    const held = await createHand(world).fetch()
    await held.run.admit(memberOf(held.run))
    // Its lock is over, and nobody has missed the worker yet.
    await world.redis.del(keys.sendLock(first))
    const second = await send('order-7')
    expect([await status(first), await status(second)]).toEqual(['sending', 'held'])
    await giveStalledBack(world)
    await work()
    await until(() => expect(truth.taken).toEqual([first, second]))
  })
})

it('does not replace one that has been tried', async () => {
  const first = await send('order-7')
  const tries: string[] = []
  await work({}, async (run) => {
    const turn = await run.admit(run.data as never)
    if (turn.kind !== 'go') return turn
    tries.push(run.id)
    return run.id === first && turn.tries === 0 ? retry(300) : { kind: 'delivered', attempts: [] }
  })
  await until(async () => expect(await status(first)).toBe('retrying'))
  const second = await send('order-7')
  await until(() => expect(tries).toEqual([first, first, second]))
  expect(await status(first)).toBe('delivered')
})

it.each([
  ['replaces one that was not sent', 'suspended', 'superseded'],
  ['does not replace one of which a call has ended unsure', 'unsure', 'queued'],
] as const)('%s, without a try', async (_what, outcome, expected) => {
  const first = await send('order-7')
  const held = await vi.waitFor(() => createHand(world).fetch(), WAIT_MS)
  await held.run.admit(memberOf(held.run))
  // As it is written while the app is held.
  await held.settle({ kind: 'snooze', delayMs: 60_000, counts: false, attempts: [attemptMade({ outcome })] })
  const second = await send('order-7')
  expect(await status(first)).toBe(expected)
  expect(await world.redis.lrange(keys.lane(PERSON), '0', '-1')).toEqual(
    expected === 'superseded' ? [second] : [first, second],
  )
})

it('a repeat of what was replaced is told so, and replaces nothing', async () => {
  const outbox = world.outbox()
  const request = { ...text(PERSON, 'one'), collapseKey: 'order-7', idempotencyKey: 'k-1' }
  const { id } = await outbox.send(request)
  const newer = await send('order-7')
  expect(await outbox.send(request)).toEqual({ id, status: 'superseded', duplicate: true })
  expect(await status(newer)).toBe('queued')
  expect(await outbox.cancel(id)).toBe('too-late')
})

it('is refused for a text that is cut into several', async () => {
  const outbox = world.outbox({ textSplit: true, textBytesMax: 10 })
  await expect(outbox.send({ ...text(PERSON, 'longer than ten'), collapseKey: 'k' })).rejects.toMatchObject({
    issues: [{ path: 'collapseKey' }],
  })
  await expect(outbox.send({ ...text(PERSON, 'short'), collapseKey: '' })).rejects.toMatchObject({
    issues: [{ path: 'collapseKey' }],
  })
})

it('forgets keys whose messages are over, and none whose message waits', async () => {
  const outbox = world.outbox()
  const sendKeys = async (name: string, count: number): Promise<string[]> => {
    const batch = Array.from({ length: count }, (_, n) => ({ ...text(PERSON, name), collapseKey: `${name}-${n}` }))
    return (await outbox.sendMany(batch)).map((result) => ('id' in result ? result.id : ''))
  }
  const open = await send('open')
  const over = await sendKeys('over', 127)
  expect(await world.redis.hlen(keys.collapse + PERSON)).toBe(128)
  await Promise.all(over.map((id) => outbox.cancel(id)))
  await sendKeys('more', 64)
  expect(await world.redis.hlen(keys.collapse + PERSON)).toBe(65)
  await expectReplaced(open, await send('open'))
})
