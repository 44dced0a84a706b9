// Content goes when it is not needed any more: of what was delivered, of what a newer message has replaced, and of dead letters by age.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { countNotReplayable } from '../../src/dead-letters/count-not-replayable.ts'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { readDeadLetter, requestReplay } from '../../src/dead-letters/list.ts'
import { createStripper, type Retain } from '../../src/erase/strip.ts'
import type { Consumer, ConsumerOptions } from '../../src/worker/consumer.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { createHand } from '../support/hand.ts'
import { found } from '../support/redis-bytes.ts'
import { letDie, start, taskOf, untilEnded } from '../support/tasks.ts'
import {
  APP,
  consumerDefaults,
  DELIVERED,
  delivering,
  keys,
  retry,
  sharedWorld,
  text,
  WAIT_MS,
} from '../support/world.ts'

const SECRET = 'the secret of Anna'
const DAY_MS = 86_400_000

const world = sharedWorld({ isFlushed: true })
let consumers: Consumer[] = []
afterEach(async () => {
  await Promise.all(consumers.map((one) => one.close(1000)))
  consumers = []
})

const soon = (look: () => unknown) => vi.waitFor(look, { timeout: WAIT_MS, interval: 10 })
const statusOf = async (id: string) => (await world.outbox().status(id))?.status
const retaining = (more: Partial<Retain>): Retain => ({ ...consumerDefaults(world.store).retain, ...more })
async function work(deliver: (run: Run) => Promise<Settlement>, options: Partial<ConsumerOptions> = {}) {
  const started = await world.consumer(deliver, { retain: retaining({ content: false }), ...options })
  consumers.push(started.consumer)
  return started
}

describe.each([
  ['our own fetch', {}],
  ['BullMQ’s own fetch', { maxPerSecond: 10_000 }],
])('without content, by %s, a delivered message', (_how, options) => {
  it('leaves nothing of it in Redis, and is told of and repeated as ever', async () => {
    let tries = 0
    const sent: string[] = []
    await work(
      async (run) => (tries++ === 0 ? (await run.admit({ touser: 'o-anna' }), retry(1)) : delivering(sent)(run)),
      options,
    )
    const metadata = { order: 9007199254740991, none: [], nothing: {} }
    const message = {
      ...text('o-anna', SECRET),
      idempotencyKey: 'once',
      metadata,
      businessid: SECRET,
      expiresAt: Date.now() + DAY_MS,
    }
    const { id } = await world.outbox().send(message)
    const other = await world.outbox().send({
      touser: 'o-ben',
      msgtype: 'link',
      link: { title: SECRET, description: '', url: 'https://secret.example', thumb_url: 'https://secret.example' },
    })
    await soon(async () => expect([await statusOf(id), await statusOf(other.id)]).toEqual(['delivered', 'delivered']))
    expect(await found(world, [SECRET, 'secret.example'])).toEqual([])
    const report = await world.outbox().status(id)
    expect(report).toMatchObject({
      touser: 'o-anna',
      msgtype: 'text',
      contentRemoved: true,
      metadata,
      expiresAt: expect.any(String),
    })
    expect(report?.attempts).toHaveLength(2)
    expect(await world.outbox().send(message)).toEqual({ id, status: 'delivered', duplicate: true })
    await expect(world.outbox().send({ ...message, text: { content: 'another' } })).rejects.toMatchObject({
      code: 'WXO_CONFLICT',
    })
  })
})

it('content stays by default, and to remove it takes Redis no command more', async () => {
  const commandsOf = async (keepsContent: boolean): Promise<string[]> => {
    await world.redis.flushall()
    const { id } = await world.outbox().send(text('o-anna', SECRET))
    const held = await createHand(world, { keepsContent }).fetch()
    await world.redis.config('RESETSTAT')
    await held.settle(DELIVERED)
    const stats = await world.redis.info('commandstats')
    expect(await world.redis.hget(keys.sendJob(id), 'data')).toContain(keepsContent ? SECRET : 'contentRemoved')
    return [...stats.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)].map(([, name, calls]) => `${name} ${calls}`)
  }
  const kept = await commandsOf(true)
  expect(kept).toContain('hset 1')
  expect(await commandsOf(false)).toEqual(kept)
})

it('an answer that comes after another run has the message removes it too, and that run sends nothing', async () => {
  const { id } = await world.outbox().send(text('o-anna', SECRET))
  const first = await createHand(world, { name: 'first', keepsContent: false }).fetch()
  await first.run.admit({ touser: 'o-anna' })
  await first.die()
  const second = await createHand(world, { name: 'second', keepsContent: false }).fetch()
  await second.run.admit({ touser: 'o-anna' })
  await first.settle(DELIVERED)
  expect(await found(world, [SECRET])).toEqual([])
  await second.settle(retry(1))
  expect(await world.outbox().status(id)).toMatchObject({ status: 'delivered', contentRemoved: true })
})

it('a job that only BullMQ can complete loses it in the same step', async () => {
  await world.send.add('text', { v: 1, ...text('o-anna', SECRET) }, { removeOnComplete: false })
  const sent: string[] = []
  await work(delivering(sent))
  await soon(() => expect(sent).toHaveLength(1))
  await soon(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(1))
  expect(await found(world, [SECRET])).toEqual([])
})

it('what a newer message has replaced, and what was delivered before, lose it in the next sweep', async () => {
  const older = await world.outbox().send({ ...text('o-anna', SECRET), collapseKey: 'k' })
  const newer = await world.outbox().send({ ...text('o-anna', 'newer'), collapseKey: 'k' })
  const sent: string[] = []
  await work(delivering(sent), { retain: retaining({}) })
  await soon(async () => expect(await statusOf(newer.id)).toBe('delivered'))
  expect(await found(world, [SECRET, 'newer'])).toEqual([SECRET, 'newer'])
  await work(delivering(sent), { sweepEveryMs: 50 })
  await soon(async () => expect(await world.redis.hget(keys.sendJob(newer.id), 'data')).toContain('contentRemoved'))
  expect(await found(world, [SECRET, 'newer'])).toEqual([])
  expect(await world.outbox().status(older.id)).toMatchObject({
    status: 'superseded',
    touser: 'o-anna',
    contentRemoved: true,
  })
})

describe('a dead letter that is too old for its content', () => {
  const old = (): Retain => retaining({ deadMs: DAY_MS, deadContentMs: 0 })
  const strip = (): Promise<number> => createStripper({ store: world.store, appid: APP, retain: old() }).strip()

  it('keeps who, why and when, and cannot be replayed by anybody', async () => {
    const [id = '', other = ''] = await letDie(world, [
      ['o-anna', `45015 ${SECRET}`],
      ['o-ben', '45047'],
    ])
    expect(await strip()).toBe(2)
    expect(await strip()).toBe(0)
    expect(await found(world, [SECRET])).toEqual([])
    expect(await readDeadLetter(world.store, APP, id)).toMatchObject({
      message: { touser: 'o-anna', msgtype: 'text', contentRemoved: true },
      reason: { errcode: 45015 },
    })
    expect(await world.outbox().status(`m-${id.slice(2)}`)).toMatchObject({ status: 'dead', contentRemoved: true })
    expect(await requestReplay(world.store, APP, id)).toEqual({ kind: 'not-replayable', why: 'content-removed' })
    expect(await countNotReplayable(world.store, APP, { of: { filter: { errcode: ['45015'] } } })).toEqual([
      { key: '45015', count: 1 },
    ])
    const { problems } = await work(delivering([]))
    await untilEnded(world, await start(world, { action: 'replay', filter: {} }))
    const [task] = [await taskOf(world, await start(world, { action: 'replay', ids: [id] }))]
    expect(await untilEnded(world, task.id)).toMatchObject({ total: 1, done: 0, failed: 1, notReplayable: 1 })
    expect(problems).toContainEqual(expect.objectContaining({ error: 'not-replayable: its content was removed', id }))
    // As Bull Board and plain BullMQ do it: it comes back, and says why.
    await (await world.dead.getJob(other))?.retry()
    await soon(async () =>
      expect((await world.dead.getJob(other))?.failedReason).toBe(
        '45047 code-45047: (not-replayable: its content was removed)',
      ),
    )
    expect(await (await world.dead.getJob(other))?.getState()).toBe('failed')
    expect(await discardDeadLetter(world.store, { appid: APP, id }, 0)).toBe('discarded')
    expect(await world.redis.zrange(keys.deadWithoutContent, '0', '-1')).toEqual([other])
  })

  it('is found although it came late, and is not looked for where content lasts as long as letters', async () => {
    const [id = ''] = await letDie(world, [['o-anna', SECRET]])
    const stripper = createStripper({
      store: world.store,
      appid: APP,
      retain: retaining({ deadMs: DAY_MS, deadContentMs: DAY_MS - 1000 }),
    })
    expect(await stripper.strip()).toBe(0)
    await world.redis.zadd(keys.deadByTime, Date.now() - DAY_MS + 500, id)
    expect(await stripper.strip()).toBe(1)
    expect(await createStripper({ store: world.store, appid: APP, retain: retaining({}) }).strip()).toBe(0)
  })
})
