// A person is erased whole, wherever messages of theirs stand; nobody else notices, and what is being sent is told of.
import { CALLBACK_TYPES, replayIdOf } from '@wechat-outbox/messages'
import type { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Receiver } from '../../src/callbacks/deliverer.ts'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { forgetPerson } from '../../src/erase/forget.ts'
import { inspectLanes } from '../../src/lanes/inspect.ts'
import type { Store } from '../../src/redis/store.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { createHand } from '../support/hand.ts'
import { everyKey, found } from '../support/redis-bytes.ts'
import { letDie, round, start, taskOf, untilEnded } from '../support/tasks.ts'
import { acts, createTruth } from '../support/windows.ts'
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
  touserOf,
  WAIT_MS,
} from '../support/world.ts'

const [ANNA, BEN] = ['oAnna-0123456789_abcdef', 'oBen-0123456789_abcdef']
const SECRET = 'the secret of'
const DAY_MS = 86_400_000
/** Messages that `live` sends, also those of which nothing but their end is remembered. */
const KEYS_EACH = 12

const world = sharedWorld({ isFlushed: true })
let consumers: Consumer[] = []
afterEach(async () => {
  await Promise.all(consumers.map((one) => one.close(1000)))
  consumers = []
})

const soon = (look: () => unknown) => vi.waitFor(look, { timeout: WAIT_MS, interval: 10 })
const forget = (touser: string, dryRun = false) => forgetPerson(world.store, { appid: APP, touser, dryRun })
/** Every key with what stands in it, but for those that Redis ends by itself within moments. */
async function stored(): Promise<Record<string, unknown>> {
  const all = JSON.parse(await everyKey(world)) as [string, unknown][]
  return Object.fromEntries(all.filter(([name]) => !/:(marker|stalled-check)$|^wxo:wait/.test(name)))
}
const idempotencyRecords = async () => (await world.redis.keys(`${keys.idempotency}*`)).length
const NOTHING = {
  waiting: 0,
  delivered: 0,
  deadLetters: 0,
  endings: 0,
  idempotencyKeys: 0,
  events: 0,
  windows: 0,
  collapseKeys: 0,
  tasks: 0,
  left: { sending: 0, tasks: 0 },
}

/** Takes what was delivered, and not what is dead: that is told again later. */
const RECEIVER: Receiver = {
  tells: new Set(CALLBACK_TYPES),
  print: 'p',
  call: ({ type }) => Promise.resolve(type === 'message.delivered' ? { kind: 'taken' } : { kind: 'failed', why: 'no' }),
  report: { told: () => undefined, receiver: () => undefined, lost: () => undefined },
}

/** Delivers, lets die or retries a message as its content says; one for which nothing is said waits for its user. */
async function byContent(run: Run): Promise<Settlement> {
  const truth = createTruth()
  const { content = '' } = (run.data as { text?: { content: string } }).text ?? {}
  if (content.includes('waits')) truth.allow(touserOf(run), 0)
  if (!/dies|retries/.test(content)) return truth.deliver(run)
  const turn = await run.admit(memberOf(run))
  if (turn.kind !== 'go') return turn
  return content.includes('retries') ? retry(DAY_MS) : dies()
}

/** One message at least in every state there is, each with an idempotency key. Returns the id of a dead letter. */
async function live(touser: string): Promise<string> {
  const outbox = world.outbox()
  const send = (what: string, more: object = {}) =>
    outbox.send({
      ...text(touser, `${SECRET} ${touser}: ${what}`),
      metadata: { what },
      idempotencyKey: `${touser} ${what}`,
      ...more,
    })
  const statusIs = (id: string, status: string) =>
    soon(async () => expect((await outbox.status(id))?.status).toBe(status))
  const older = await send('older', { collapseKey: 'k' })
  await send('newer', { collapseKey: 'k' })
  const { consumer } = await world.consumer(byContent, { receiver: RECEIVER })
  await statusIs(older.id, 'superseded')
  const dead = [await send('dies 1'), await send('dies 2'), await send('dies 3'), await send('dies 4')]
  for (const { id } of dead) await statusIs(id, 'dead')
  const letters = dead.map(({ id }) => `d-${id.slice(2)}`)
  await discardDeadLetter(world.store, { appid: APP, id: letters[0] ?? '' }, DAY_MS)
  await requestReplay(world.store, APP, letters[1] ?? '')
  await soon(async () => expect(await outbox.status(dead[1]?.id ?? '')).toMatchObject({ status: 'replayed' }))
  await soon(async () => expect(await world.redis.exists(keys.deadJob(`${letters[1]}-1`))).toBe(1))
  await untilEnded(world, await start(world, { action: 'discard', filter: { touser: [touser], errcode: ['45047'] } }))
  await consumer.close(1000)
  await acts(world, touser, 'message', { at: Date.now() - 3_600_000 })
  const cancelled = await send('cancelled')
  await outbox.cancel(cancelled.id)
  await send('scheduled', { sendAt: Date.now() + DAY_MS })
  await send('scheduled, and expires', { sendAt: Date.now() + DAY_MS, expiresAt: Date.now() + 2 * DAY_MS })
  const waits = await send('waits', { onClosed: 'hold' })
  const second = await world.consumer(byContent, { receiver: RECEIVER })
  await statusIs(waits.id, 'waiting-for-user')
  await second.consumer.close(1000)
  for (const what of ['behind 1', 'behind 2']) await send(what, { expiresAt: Date.now() + DAY_MS })
  return letters[2] ?? ''
}

it('a person’s messages in every state, and all that is known beside them, leave no byte; a dry run changes nothing; others stay', async () => {
  const letters = [await live(ANNA), await live(BEN)]
  // No worker is there to replay what is asked for.
  for (const letter of letters) await requestReplay(world.store, APP, letter)
  await world.redis.hset(keys.faultsInARow, { unexplained: '2', 'unexplained:of': ANNA })
  // By hand: its letter is gone, and it is still listed.
  await world.redis
    .zadd(keys.deadByPerson(ANNA), 1, 'd-gone')
    .then(() => world.redis.zadd(keys.deadByPersonAndReason(ANNA, '1'), 1, 'd-gone'))
  expect(await idempotencyRecords()).toBe(2 * KEYS_EACH)
  const before = await stored()
  const dry = await forget(ANNA, true)
  expect(dry).toMatchObject({
    waiting: 5,
    delivered: expect.any(Number),
    idempotencyKeys: KEYS_EACH,
    windows: 1,
    collapseKeys: 1,
    events: expect.any(Number),
    tasks: 1,
    left: { sending: 0, tasks: 0 },
  })
  expect(Math.min(dry.delivered, dry.deadLetters, dry.endings, dry.events)).toBeGreaterThan(1)
  expect(await stored()).toEqual(before)
  const ofBen = await forget(BEN, true)
  expect(await forget(ANNA)).toEqual(dry)
  expect(await idempotencyRecords()).toBe(KEYS_EACH)
  expect(await found(world, [ANNA, `${SECRET} ${ANNA}`])).toEqual([])
  expect(await forget(BEN, true)).toEqual(ofBen)
  expect(await forget(ANNA)).toEqual(NOTHING)
  for await (const problem of inspectLanes(world.store, { appid: APP, againAfterMs: 1 }))
    expect(problem).toBeUndefined()
  // A key that was erased is free.
  const again = { ...text(ANNA, 'again'), idempotencyKey: `${ANNA} older` }
  expect(await world.outbox().send(again)).toMatchObject({ status: 'queued', duplicate: false })
  await forget(BEN)
  await forget(ANNA)
  expect(await found(world, [ANNA, BEN, SECRET])).toEqual([])
})

it('what a worker holds stays and is told of; what waits behind it goes, and is not let go before', async () => {
  const ids = await world.accept([1, 2, 3].map((n) => text(ANNA, `${n}`)))
  const held = await createHand(world).fetch()
  await held.run.admit({ touser: ANNA })
  expect(await forget(ANNA)).toMatchObject({ waiting: 2, left: { sending: 1 } })
  expect(await world.redis.lrange(keys.lane(ANNA), '0', '-1')).toEqual([ids[0]])
  expect(await world.redis.llen(keys.sendWait)).toBe(0)
  await held.settle(DELIVERED)
  expect(await forget(ANNA)).toMatchObject({ delivered: 1, left: { sending: 0 } })
  expect(await found(world, [ANNA])).toEqual([])
})

it('the first goes last: what waits behind one in its backoff goes, and is not let go before', async () => {
  // So many that none is let go by luck only if they go from the end on.
  const [first, ...behind] = await world.accept(Array.from({ length: 300 }, (_, n) => text(ANNA, `${n}`)))
  const held = await createHand(world).fetch()
  await held.run.admit({ touser: ANNA })
  await held.settle(retry(DAY_MS))
  // As many as are read at once, of messages that somebody has removed by hand.
  await world.redis.rpush(keys.lane(ANNA), ...Array.from({ length: 1000 }, (_, n) => `m-gone-${n}`))
  expect(await forget(ANNA)).toMatchObject({ waiting: 1 + behind.length, left: { sending: 0 } })
  const events = await world.redis.xrange(keys.sendEvents, '-', '+')
  const waited = events.flatMap(([, [, event, , id]]) => (event === 'waiting' ? [id] : []))
  expect(waited).toEqual([first])
})

describe('what moves while the names of keys are walked through goes, too', () => {
  /** A store through which `meanwhile` happens once: when the names have been read, and before what stands there is. */
  function storeDuring(meanwhile: () => Promise<unknown>): Store {
    const during = Object.create(world.redis) as Redis
    let happening: Promise<unknown> | undefined
    during.scan = (async (...args: Parameters<Redis['scan']>) => {
      const page = await (world.redis as Redis).scan(...args)
      await (happening ??= meanwhile())
      return page
    }) as Redis['scan']
    return { ...world.store, redis: during }
  }

  it('a letter that becomes a message', async () => {
    const [letter = ''] = await letDie(world, [[ANNA, '45015']])
    await requestReplay(world.store, APP, letter)
    const store = storeDuring(() => round(world))
    const forgotten = { waiting: 1, deadLetters: 0, endings: 1 }
    expect(await forgetPerson(store, { appid: APP, touser: ANNA })).toMatchObject(forgotten)
    expect(await world.redis.exists(keys.lane(ANNA), keys.sendJob(replayIdOf(letter)))).toBe(0)
    // What its message is remembered by was written during the walk.
    expect(await found(world, [ANNA])).toEqual([])
  })

  it('a message that becomes a letter', async () => {
    await world.accept([text(ANNA)])
    const held = await createHand(world).fetch()
    await held.run.admit({ touser: ANNA })
    const store = storeDuring(() => held.settle(dies()))
    expect(await forgetPerson(store, { appid: APP, touser: ANNA })).toMatchObject({ waiting: 0, deadLetters: 1 })
    expect(await found(world, [ANNA])).toEqual([])
  })
})

/** What each task is about, and what it has skipped. */
const countsOf = (...ids: string[]) =>
  Promise.all(
    ids.map(async (id) => {
      const { total, skipped } = await taskOf(world, id)
      return [total, skipped]
    }),
  )

it('a task that runs and names the person is told of, and counts the person’s letters as skipped', async () => {
  const { consumer } = await world.consumer(() => Promise.resolve(dies()))
  await world.accept([text(ANNA), text(BEN)])
  await soon(async () => expect(await world.redis.zcard(keys.deadByTime)).toBe(2))
  await consumer.close(1000)
  const of = (filter: object) => start(world, { action: 'replay', filter, perSecond: 1 })
  const [named, all] = [await of({ touser: [ANNA] }), await of({})]
  // The letters of both are found, and none of them is replayed.
  await round(world)
  const late = await of({ touser: [ANNA] })
  expect(await countsOf(named, all)).toEqual([
    [1, 0],
    [2, 0],
  ])
  expect(await forget(ANNA)).toMatchObject({ deadLetters: 1, left: { tasks: 2 } })
  // Before a worker could count what it does not find.
  expect(await countsOf(named, all)).toEqual([
    [1, 1],
    [2, 1],
  ])
  const sent: string[] = []
  consumers.push((await world.consumer(delivering(sent))).consumer)
  expect(await untilEnded(world, named)).toMatchObject({ total: 1, done: 0, skipped: 1 })
  expect(await untilEnded(world, all)).toMatchObject({ total: 2, done: 1, skipped: 1 })
  expect(await untilEnded(world, late)).toMatchObject({ total: 0 })
  expect(await forget(ANNA)).toMatchObject({ tasks: 2, left: { tasks: 0 } })
  expect((await taskOf(world, named)).filter).toEqual({ touser: ['forgotten'] })
  expect(await found(world, [ANNA])).toEqual([])
})

it('while workers deliver for many, the others get all of theirs in their order, and no lane is left behind', async () => {
  const people = Array.from({ length: 12 }, (_, n) => (n === 0 ? ANNA : `o-${n}`))
  const sent: { touser: string; id: string }[] = []
  const deliver = async (run: Run): Promise<Settlement> => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    // One in ten is tried again, so that followers are parked.
    if (turn.tries === 0 && Math.random() < 0.1) return retry(5)
    sent.push({ touser: touserOf(run), id: run.id })
    return DELIVERED
  }
  const accepted = new Map<string, string[]>(people.map((person) => [person, []]))
  for (let n = 0; n < 2; n += 1) consumers.push((await world.consumer(deliver, { concurrency: 4 })).consumer)
  for (let round = 0; round < 10; round += 1) {
    const batch = Array.from({ length: 120 }, () => people[Math.floor(Math.random() * people.length)] ?? ANNA)
    const ids = await world.accept(batch.map((person, n) => text(person, `${round} ${n}`)))
    for (const [n, person] of batch.entries()) accepted.get(person)?.push(ids[n] ?? '')
    if (round % 3 === 1) await forget(ANNA)
  }
  const others = people.filter((person) => person !== ANNA)
  const gotBy = (person: string): string[] => sent.filter(({ touser }) => touser === person).map(({ id }) => id)
  await soon(() => {
    for (const person of others) expect(gotBy(person)).toEqual(accepted.get(person))
  })
  await soon(async () => expect((await forget(ANNA)).left.sending).toBe(0))
  await soon(async () => expect(await found(world, [ANNA])).toEqual([]))
  const got = gotBy(ANNA)
  expect(got).toEqual((accepted.get(ANNA) ?? []).filter((id) => got.includes(id)))
  expect(await world.redis.keys(`${keys.lanes}*`)).toEqual([])
})
