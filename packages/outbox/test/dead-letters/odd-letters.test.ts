// A job of the queue of dead letters may hold anything: another program has added it, or has changed what stood in it. It is replayed if a
// message stands in it, it can be discarded and expires, and it holds up no other letter, no task and no list.
import { deadLetterIdOf, replayIdOf } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { countDeadLetters, countGiven } from '../../src/dead-letters/count.ts'
import { expireDeadLetters, listDeadLetters, requestReplay } from '../../src/dead-letters/list.ts'
import { listPersonMessages } from '../../src/producer/person-messages.ts'
import { cancelTask, listTasks, openTasks, readTask } from '../../src/tasks/task.ts'
import { burierOn, failed } from '../support/dead.ts'
import { createHand } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { carryOut, round, start, taskOf } from '../support/tasks.ts'
import { APP, dies, keys, memberOf, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const NANOSECONDS = 1.7e18
/** Nothing can be made a text of it. */
const NO_TEXT = { toString: null, valueOf: null }

type Fields = Record<string, unknown>
const with_ = (fields: Fields) => (letter: Fields) => ({ ...letter, ...fields })
const withMessage = (fields: Fields) => (letter: Fields) => ({
  ...letter,
  message: { ...(letter['message'] as Fields), ...fields },
})
const withReason = (fields: Fields) => (letter: Fields) => ({
  ...letter,
  reason: { ...(letter['reason'] as Fields), ...fields },
})

const ODD: readonly [string, (letter: Fields) => unknown][] = [
  ['acceptance in nanoseconds', with_({ acceptedAt: NANOSECONDS })],
  ['no time of acceptance', with_({ acceptedAt: 'yesterday' })],
  ['a death in nanoseconds', with_({ deadAt: NANOSECONDS })],
  ['no time of death', with_({ deadAt: null })],
  ['no id of a message', with_({ messageId: 7 })],
  ['an empty reason', with_({ reason: {} })],
  ['no reason', with_({ reason: null })],
  ['a code that is none', withReason({ errcode: NO_TEXT })],
  ['words that are none', withReason({ errmsg: NO_TEXT })],
  ['no attempts', with_({ attempts: 7 })],
  ['no message', with_({ message: undefined })],
  ['a text as its message', with_({ message: 'hello' })],
  ['a recipient that is none', withMessage({ touser: NO_TEXT })],
  ['a part of very many', (letter) => withMessage({ part: { n: 1, of: 1e10, first: letter['messageId'] } })(letter)],
  ['a time to be sent that is none', withMessage({ sendAt: NANOSECONDS, contentRemoved: true })],
  ['an id and an empty reason alone', ({ messageId }) => ({ messageId, reason: {} })],
  ['an id alone', ({ messageId }) => ({ messageId, reason: null })],
  ['a list', () => []],
  ['a number', () => 7],
  ['nothing', () => null],
]

/** So many letters to one person, of which the first is odd. */
async function letters(odd: (letter: Fields) => unknown): Promise<[odd: string, good: string]> {
  const ids = await world.accept([text('o-1'), text('o-2')])
  const hand = createHand(world)
  for (const _ of ids) {
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    await held.settle(dies())
  }
  const [first = '', second = ''] = ids.map(deadLetterIdOf)
  const letter = JSON.parse((await world.redis.hget(keys.deadJob(first), 'data')) ?? '')
  await world.redis.hset(keys.deadJob(first), 'data', JSON.stringify(odd(letter)))
  return [first, second]
}

const left = () => world.redis.zrange(keys.deadFailed, '0', '-1')

describe.each(ODD)('a letter with %s', (_what, made) => {
  it('is replayed or named, and holds up no other that somebody has retried', async () => {
    const [odd, good] = await letters(made)
    await world.dead.retryJobs({ state: 'failed' })
    const { replayed, problems } = await round(world)
    expect(replayed).toContainEqual({ id: replayIdOf(good), replayOf: good })
    const named = [...replayed.map(({ replayOf }) => replayOf), ...problems.map(({ id }) => id)]
    expect(named).toHaveLength(2)
    expect(new Set(named)).toEqual(new Set([odd, good]))
    expect(await left()).toEqual(problems.map(({ id }) => id))
  })

  it('ends the tasks that are about it, and holds up no other', async () => {
    const [odd, good] = await letters(made)
    const replay = await start(world, { action: 'replay', ids: [odd] })
    const discard = await start(world, { action: 'discard', ids: [odd] })
    const other = await start(world, { action: 'replay', ids: [good] })
    for (const id of [replay, discard, other]) await carryOut(world, id)
    const { done, failed } = await taskOf(world, replay)
    expect(done + failed).toBe(1)
    expect(await taskOf(world, discard)).toMatchObject({ done: failed, skipped: done, failed: 0 })
    expect(await taskOf(world, other)).toMatchObject({ done: 1 })
    expect(await left()).toEqual([])
  })

  it('goes with others when they are old', async () => {
    await letters(made)
    expect(await expireDeadLetters(world.store, { appid: APP, before: Date.now() + 1000 })).toBe(2)
    expect(await world.redis.zcard(keys.deadByTime)).toBe(0)
    expect(await left()).toEqual([])
  })

  it('is listed and counted, and its message has a status', async () => {
    const [odd, good] = await letters(made)
    const outbox = world.outbox()
    expect(await outbox.status(`m-${odd.slice(2)}`)).toMatchObject({
      status: 'dead',
      deadLetter: odd,
      acceptedAt: expect.any(String),
      attempts: expect.any(Array),
    })
    expect((await listDeadLetters(world.store, APP, {})).items.map(({ id }) => id)).toEqual(
      expect.arrayContaining([odd, good]),
    )
    for (const filter of [{ errcode: ['reply-window-closed'] }, { notTouser: ['o-3'] }]) {
      const { items } = await listDeadLetters(world.store, APP, filter)
      expect(items.map(({ id }) => id)).toContain(good)
      for (const by of ['errcode', 'touser', 'hour'] as const) {
        expect((await countDeadLetters(world.store, APP, { filter, by, reasons: [] })).total).toBeGreaterThan(0)
      }
    }
    expect((await countGiven(world.store, APP, [odd, good])).total).toBeGreaterThan(0)
    await listPersonMessages(world.store, APP, { touser: 'o-1' })
    await requestReplay(world.store, APP, odd)
    await outbox.status(replayIdOf(odd))
  })
})

it('a message that was added with its time in nanoseconds dies, and is replayed', async () => {
  const id = 'm-nanoseconds'
  await world.send.add('text', { v: 1, ...text('o-1') }, { jobId: id, timestamp: NANOSECONDS })
  const outbox = world.outbox()
  expect(await outbox.status(id)).toMatchObject({ status: 'queued', acceptedAt: '' })
  const held = await createHand(world).fetch()
  await held.run.admit(memberOf(held.run))
  await held.settle(dies())
  expect(await outbox.status(id)).toMatchObject({ status: 'dead', acceptedAt: '' })
  const letter = deadLetterIdOf(id)
  await requestReplay(world.store, APP, letter)
  expect(await round(world)).toMatchObject({ replayed: [{ id: replayIdOf(letter), replayOf: letter }], problems: [] })
  expect(await outbox.status(id)).toMatchObject({ status: 'replayed', acceptedAt: '' })
})

it.each(['1.7e18', '0', 'yesterday'])(
  'a message that another program has failed at %s dies now',
  async (finishedOn) => {
    const [id = ''] = await failed(world, 'o-1')
    await world.redis.hset(keys.sendJob(id), { finishedOn, timestamp: 'yesterday' })
    const { burier } = burierOn(world.store)
    const began = Date.now()
    expect(await burier.bury(id)).toMatchObject({ kind: 'dead' })
    const [item] = (await listDeadLetters(world.store, APP, {})).items
    expect(item?.deadAt).toBeGreaterThanOrEqual(began - 1000)
    expect(item?.deadAt).toBeLessThanOrEqual(Date.now() + 1000)
    expect(await expireDeadLetters(world.store, { appid: APP, before: began - 1000 })).toBe(0)
  },
)

describe('what another program has spoilt', () => {
  const even = (letter: Fields) => letter

  it('for the single replays, holds up no task', async () => {
    const [, good] = await letters(even)
    await spoil(world.redis, keys.replaysDue)
    const id = await start(world, { action: 'replay', ids: [good] })
    await round(world)
    expect((await round(world)).problems).toEqual([
      { what: 'replaying what was retried', error: expect.stringContaining('WRONGTYPE') },
    ])
    expect(await taskOf(world, id)).toMatchObject({ status: 'done', done: 1 })
  })

  it.each(['replay', 'discard'] as const)('for one task, holds up no other: %s', async (action) => {
    const [first, good] = await letters(even)
    const spoilt = await start(world, { action, ids: [first] })
    const id = await start(world, { action, ids: [good] })
    while ((await openTasks(world.store, APP)).some(({ cursor }) => cursor !== undefined)) await round(world)
    await spoil(world.redis, keys.taskLetters(spoilt))
    const problems = []
    while ((await taskOf(world, id)).status === 'running') problems.push(...(await round(world)).problems)
    expect(problems).toContainEqual(
      expect.objectContaining({ id: spoilt, error: expect.stringContaining('WRONGTYPE') }),
    )
    expect(await taskOf(world, id)).toMatchObject({ done: 1 })
  })

  it.each(['replay', 'discard'] as const)(
    'under a task itself, holds up no other and no list of them: %s',
    async (action) => {
      const [first, good] = await letters(even)
      const spoilt = await start(world, { action, ids: [first] })
      const mend = await spoil(world.redis, keys.task(spoilt))
      const id = await start(world, { action, ids: [good] })
      const problems = []
      while ((await taskOf(world, id)).status === 'running') problems.push(...(await round(world)).problems)
      expect(problems).toContainEqual({
        what: 'reading a task',
        id: spoilt,
        error: expect.stringContaining('WRONGTYPE'),
      })
      expect(await listTasks(world.store, APP)).toMatchObject([{ id, done: 1 }])
      expect(await readTask(world.store, APP, spoilt)).toBeNull()
      await mend()
      await carryOut(world, spoilt)
      expect(await taskOf(world, spoilt)).toMatchObject({ done: 1 })
    },
  )

  it('for the task whose replays are taken back, holds up no other', async () => {
    const [first, good] = await letters(even)
    const spoilt = await start(world, { action: 'replay', ids: [first] })
    await carryOut(world, spoilt)
    const mend = await spoil(world.redis, keys.taskReplayed(spoilt))
    await cancelTask(world.store, { appid: APP, id: spoilt }, true).catch(() => undefined)
    const id = await start(world, { action: 'replay', ids: [good] })
    await carryOut(world, id)
    expect(await taskOf(world, id)).toMatchObject({ done: 1 })
    await mend()
    await round(world)
    expect(await taskOf(world, spoilt)).toMatchObject({ takenBack: 1 })
  })

  it('under the id of a letter, holds up no other that was retried', async () => {
    const [first, good] = await letters(even)
    await world.dead.retryJobs({ state: 'failed' })
    await spoil(world.redis, keys.deadJob(first))
    expect(await round(world)).toMatchObject({ replayed: [{ replayOf: good }], problems: [{ id: first }] })
  })

  it.each(['replay', 'discard'] as const)('under the id of a letter, holds up no task: %s', async (action) => {
    const [first] = await letters(even)
    await spoil(world.redis, keys.deadJob(first))
    const byId = await start(world, { action, ids: [first] })
    const byFilter = await start(world, { action, filter: {} })
    for (const id of [byId, byFilter]) await carryOut(world, id)
    expect(await taskOf(world, byId)).toMatchObject({ done: 0, failed: 1 })
    expect(await taskOf(world, byFilter)).toMatchObject({ done: 1, failed: 0 })
  })

  it('under the id of a letter, keeps no other from its end', async () => {
    const [first, good] = await letters(even)
    const mend = await spoil(world.redis, keys.deadJob(first))
    const expire = () => expireDeadLetters(world.store, { appid: APP, before: Date.now() + 1000 })
    await expect(expire()).rejects.toThrow(`${first}: WRONGTYPE`)
    expect(await left()).toEqual([first])
    expect(await world.redis.exists(keys.deadJob(good))).toBe(0)
    await mend()
    expect(await expire()).toBe(1)
  })
})
