import { replayIdOf } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { readJobHash } from '../../src/bullmq/job-hash.ts'
import { discardDeadLetter } from '../../src/dead-letters/discard.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { readStatus, reportOfDeadLetter, reportOfJob } from '../../src/producer/status.ts'
import { SEND_QUEUE } from '../../src/redis/keys.ts'
import type { Store } from '../../src/redis/store.ts'
import { untilDead } from '../support/dead.ts'
import { createHand } from '../support/hand.ts'
import { APP, attemptMade, DELIVERED, dies, memberOf, reasonOf, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const sendAt = 1_900_000_000_000
const entry = JSON.stringify({ attempts: [attemptMade({ outcome: 'retry', errcode: -1 })] })

function report(state: string, fields: Record<string, string> = {}, data: object = {}) {
  const stored = JSON.stringify({ v: 1, ...text('o1'), ...data })
  const job = readJobHash({ name: 'text', data: stored, timestamp: '1800000000000', ...fields })
  if (job === null) throw new Error('no job')
  return reportOfJob(APP, 'm-1', { job, state })
}

describe('the status of a job', () => {
  it.each([
    ['waiting', {}, {}, 'queued'],
    ['waiting', { atm: '1', stacktrace: JSON.stringify([entry]) }, {}, 'queued'],
    ['active', {}, {}, 'sending'],
    ['delayed', {}, { sendAt }, 'scheduled'],
    ['delayed', { parked: '1' }, {}, 'held'],
    ['delayed', { parked: '1' }, { sendAt }, 'held'],
    ['delayed', { atm: '1', stacktrace: JSON.stringify([entry]) }, {}, 'retrying'],
    ['delayed', { atm: '1', stacktrace: JSON.stringify([entry]) }, { sendAt }, 'retrying'],
    ['delayed', { stacktrace: JSON.stringify([entry]) }, { sendAt }, 'queued'],
    ['completed', {}, {}, 'delivered'],
    ['active', { settled: 'delivered' }, {}, 'delivered'],
    ['failed', { settled: 'delivered' }, {}, 'delivered'],
    ['failed', {}, {}, 'dead'],
    ['unknown', {}, {}, 'queued'],
  ])('%s with %j and %j is %s', (state, fields, data, status) => {
    expect(report(state, fields as Record<string, string>, data as object).status).toBe(status)
  })

  it('tells everything that it knows, with times in UTC', () => {
    const returnvalue = JSON.stringify({ attempts: [attemptMade({ at: 7 })] })
    const fields = { finishedOn: '1800000001000', stacktrace: JSON.stringify([entry]), returnvalue }
    const data = { sendAt, expiresAt: sendAt + 1, metadata: { a: 1 }, replayOf: 'd-1', earlierReasons: [] }
    expect(report('completed', fields, data)).toEqual({
      id: 'm-1',
      status: 'delivered',
      appid: APP,
      touser: 'o1',
      msgtype: 'text',
      acceptedAt: '2027-01-15T08:00:00.000Z',
      settledAt: '2027-01-15T08:00:01.000Z',
      sendAt: '2030-03-17T17:46:40.000Z',
      expiresAt: '2030-03-17T17:46:40.001Z',
      replayOf: 'd-1',
      metadata: { a: 1 },
      attempts: [
        expect.objectContaining({ outcome: 'retry' }),
        expect.objectContaining({ outcome: 'delivered', at: 7 }),
      ],
    })
  })

  it('can be told of a job that nobody can read', () => {
    expect(report('waiting', { data: 'nonsense', name: 'foreign' })).toMatchObject({
      status: 'queued',
      touser: '',
      msgtype: 'foreign',
    })
    expect(report('completed', { returnvalue: 'null' })).toMatchObject({ attempts: [] })
  })
})

describe('the status of a dead letter', () => {
  const letter = { v: 1, messageId: 'm-1-2', reason: reasonOf(), attempts: [], acceptedAt: 1, deadAt: 2 } as const

  it('names the dead letter', () => {
    const message = { v: 1, ...text('o1'), metadata: { a: 1 } } as const
    expect(reportOfDeadLetter(APP, { ...letter, message })).toMatchObject({
      id: 'm-1-2',
      status: 'dead',
      deadLetter: 'd-1-2',
      touser: 'o1',
      metadata: { a: 1 },
      settledAt: '1970-01-01T00:00:00.002Z',
    })
  })

  it('can be told of a message that nobody can read', () => {
    expect(reportOfDeadLetter(APP, { ...letter, message: { unreadable: 7 } })).toMatchObject({
      touser: '',
      msgtype: '',
    })
  })
})

describe('the status of a message that is delivered while it is read', () => {
  it('has its attempts where it says so', async () => {
    const [id = ''] = await world.accept([text('o-read')])
    const held = await createHand(world).fetch()
    await held.run.admit(memberOf(held.run))
    const backend = world.store.backend(APP, SEND_QUEUE)
    const getState = async (one: string): Promise<unknown> => {
      await held.settle(DELIVERED)
      return backend.getState(one)
    }
    const delivering = Object.assign(Object.create(backend) as typeof backend, { getState })
    const store: Store = { ...world.store, backend: () => delivering }
    expect(await readStatus(store, APP, id)).toMatchObject({
      status: 'delivered',
      settledAt: expect.any(String),
      attempts: [{ outcome: 'delivered' }],
    })
  })
})

describe('a message that moves while it is looked for', () => {
  const REMEMBER_MS = 60_000
  const dead = async (): Promise<{ id: string; letter: string }> => {
    const [id = ''] = await world.accept([text('o-moves')])
    const held = await createHand(world).fetch()
    await held.run.admit(memberOf(held.run))
    await held.settle(dies())
    return { id, letter: (await untilDead(world, id)).id ?? '' }
  }
  const replays = () => replayRetried({ store: world.store, appid: APP, rememberMs: REMEMBER_MS, perSecond: 0 })
  /** In which something happens once, when no job was found and before anything else is read. */
  const storeIn = (happens: () => Promise<unknown>): Store => {
    let has = false
    const get = async (key: string) => {
      const ended = await world.store.redis.get(key)
      if (!has) {
        has = true
        await happens()
      }
      return ended
    }
    return { ...world.store, redis: Object.assign(Object.create(world.store.redis) as Store['redis'], { get }) }
  }

  it('is discarded', async () => {
    const { id, letter } = await dead()
    const store = storeIn(() => discardDeadLetter(world.store, { appid: APP, id: letter }, REMEMBER_MS))
    expect(await readStatus(store, APP, id)).toMatchObject({ id, status: 'discarded' })
  })

  it('is replayed', async () => {
    const { id, letter } = await dead()
    await requestReplay(world.store, APP, letter)
    expect(await readStatus(storeIn(replays), APP, id)).toMatchObject({
      status: 'replayed',
      replayedAs: replayIdOf(letter),
    })
  })

  it('is the replay', async () => {
    const { letter } = await dead()
    await requestReplay(world.store, APP, letter)
    const id = replayIdOf(letter)
    expect(await readStatus(storeIn(replays), APP, id)).toMatchObject({ id, status: 'queued' })
  })

  it('is the replay, which is cancelled', async () => {
    const { letter } = await dead()
    await requestReplay(world.store, APP, letter)
    const message = { appid: APP, id: replayIdOf(letter) }
    expect(await cancelMessage(storeIn(replays), message, REMEMBER_MS)).toBe('cancelled')
  })
})
