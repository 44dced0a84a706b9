// An event is there exactly when what it tells of is true: added in the step that makes it so, once, whatever that step is and however often
// it is repeated.
import { type AppFault, CALLBACK_TYPES, type CallbackType, deadLetterIdOf } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import { liftTokenFault, proveApp, reportFault, resumeApp, takeProbeTurn } from '../../src/app-hold/hold.ts'
import { appFault } from '../support/app-fault.ts'
import { workersBurier } from '../support/dead.ts'
import { createHand, SILENT } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import {
  APP,
  attemptMade,
  DELIVERED,
  dies,
  keys,
  memberOf,
  reasonOf,
  retry,
  sharedWorld,
  text,
} from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

/** A time before any test. */
const PAST = Date.now() - 60_000
const ALL: ReadonlySet<CallbackType> = new Set(CALLBACK_TYPES)

interface Event {
  readonly id: string
  readonly type: string
  readonly data: Record<string, unknown>
}

async function events(): Promise<Event[]> {
  const ids = (await world.redis.lrange(keys.callbackWait, '0', '-1')).toReversed()
  return Promise.all(
    ids.map(async (id) => {
      const { name = '', data = '{}' } = await world.redis.hgetall(keys.callbackJob(id))
      return { id, type: name, data: JSON.parse(data) as Record<string, unknown> }
    }),
  )
}

const handOf = (tells: ReadonlySet<CallbackType> | undefined = ALL) => createHand(world, { tells })

async function admitted(request: object = {}, tells?: ReadonlySet<CallbackType>) {
  const [id = ''] = await world.accept([{ ...text('oA'), ...request }])
  const held = await handOf(tells).fetch()
  expect(await held.run.admit(memberOf(held.run))).toMatchObject({ kind: 'go' })
  return { id, held }
}

describe('a message', () => {
  it('is told of when it is delivered, without what was written', async () => {
    const { id, held } = await admitted({ metadata: { order: 7 } })
    expect(await events()).toEqual([])
    await held.settle(retry(1))
    expect(await events()).toEqual([])
    const next = await vi.waitFor(() => handOf().fetch(), 20_000)
    await next.run.admit(memberOf(next.run))
    await next.settle(DELIVERED)
    expect(await events()).toEqual([
      {
        id: `c-${id.slice(2)}-delivered`,
        type: 'message.delivered',
        data: {
          id,
          appid: APP,
          touser: 'oA',
          msgtype: 'text',
          status: 'delivered',
          attempts: 2,
          metadata: { order: 7 },
        },
      },
    ])
    expect(JSON.stringify(await events())).not.toContain('hello')
    expect(await world.redis.zscore(keys.callbackMarker, '0')).toBe('0')
  })

  it('is told of when it dies', async () => {
    const { id, held } = await admitted()
    await held.settle(dies())
    const deadLetter = deadLetterIdOf(id)
    const of = { id, appid: APP, touser: 'oA', msgtype: 'text' }
    expect(await events()).toEqual([
      {
        id: `c-${id.slice(2)}-dead`,
        type: 'message.dead',
        data: { ...of, status: 'dead', errcode: 45015, reason: 'reply-window-closed', attempts: 1, deadLetter },
      },
    ])
  })

  it.each([
    ['delivered', DELIVERED],
    ['dead', dies()],
  ])('is told of once, when its settlement is repeated: %s', async (_, settlement) => {
    const { held } = await admitted()
    await held.settle(settlement)
    await held.settle(settlement)
    expect(await events()).toHaveLength(1)
  })

  it('is told of once by the run that heard WeChat take it, and not by the one that found that', async () => {
    const { held } = await admitted()
    await held.die()
    const next = await createHand(world, { tells: ALL, name: 'other' }).fetch()
    await next.run.admit(memberOf(next.run))
    // Neither lock nor mark are the first run's any more.
    await held.settle(DELIVERED)
    expect(await events()).toHaveLength(1)
    expect((await next.settle(retry(1))).outcome).toBe('settled')
    expect(await events()).toHaveLength(1)
  })

  it('is not told of where nobody wants it', async () => {
    const { held } = await admitted({}, new Set(['message.dead'] as const))
    await held.settle(DELIVERED)
    const [id] = await world.accept([text('oB')])
    const other = await createHand(world).fetch()
    expect(other.id).toBe(id)
    await other.run.admit(memberOf(other.run))
    await other.settle(dies())
    expect(await world.redis.keys(`${keys.callbackJobs}*`)).toEqual([])
  })

  it('is settled at once where the queue of callbacks was spoilt by hand', async () => {
    await world.redis.set(keys.callbackWait, 'x')
    const refused: unknown[] = []
    const report = { ...SILENT, unsettled: (trouble: unknown) => refused.push(trouble) }
    const [id = ''] = await world.accept([text('oA')])
    const held = await createHand(world, { tells: ALL, report }).fetch()
    await held.run.admit(memberOf(held.run))
    expect((await held.settle(DELIVERED)).outcome).toBe('done')
    expect(refused).toEqual([])
    expect(await world.redis.zscore(keys.sendCompleted, id)).not.toBeNull()
  })

  it.each([
    ['', () => Promise.resolve()],
    [', where another program has spoilt the marker, too', () => spoil(world.redis, keys.callbackMarker)],
  ])('loses its event when too many wait, the oldest first, and that is counted%s', async (_where, spoilMarker) => {
    await spoilMarker()
    const waiting = Array.from({ length: 1000 }, (_, n) => `c-old-${n}`)
    for (let n = 0; n < 100; n += 1) await world.redis.rpush(keys.callbackWait, ...waiting)
    await world.redis.hset(keys.callbackJob('c-old-999'), 'name', 'message.dead')
    const { id, held } = await admitted()
    await held.settle(DELIVERED)
    expect(await world.redis.llen(keys.callbackWait)).toBe(100_000)
    expect(await world.redis.lindex(keys.callbackWait, 0)).toBe(`c-${id.slice(2)}-delivered`)
    expect(await world.redis.lindex(keys.callbackWait, -1)).toBe('c-old-998')
    expect(await world.redis.exists(keys.callbackJob('c-old-999'))).toBe(0)
    expect(await world.redis.get(keys.callbackDropped)).toBe('1')
  })
})

describe('a message that no run settles', () => {
  const burierOf = (holdMaxMs?: number) => workersBurier(world.store, { tells: ALL, holdMaxMs })

  it('is told of when other hands have failed its job', async () => {
    const { id, held } = await admitted()
    await held.run.unmark()
    await world.redis
      .multi()
      .del(keys.sendLock(id))
      .lrem(keys.sendActive, 1, id)
      .zadd(keys.sendFailed, 1, id)
      .hset(keys.sendJob(id), 'failedReason', 'by hand')
      .exec()
    expect((await burierOf().bury(id)).kind).toBe('dead')
    await burierOf().bury(id)
    expect(await events()).toMatchObject([
      { type: 'message.dead', data: { id, reason: 'failed-elsewhere', status: 'dead' } },
    ])
  })

  it('is told of when it expires', async () => {
    const [id = ''] = await world.accept([{ ...text('oA'), expiresAt: Date.now() + 60_000 }])
    await world.redis.hset(keys.sendJob(id), 'data', JSON.stringify({ v: 1, ...text('oA'), expiresAt: PAST }))
    expect((await burierOf().expire(id)).kind).toBe('dead')
    expect(await events()).toMatchObject([
      { id: `c-${id.slice(2)}-dead`, type: 'message.dead', data: { reason: 'expired' } },
    ])
  })

  it.each([
    ['its own time is over', { expiresAt: PAST }, undefined],
    ['its user did nothing for too long', {}, -1],
  ])('is told of by another name when it waited for its user: %s', async (_, more, holdMaxMs) => {
    const { id, held } = await admitted({ onClosed: 'hold' })
    await held.settle({ kind: 'await-user', attempts: [attemptMade({ outcome: 'waiting-for-user', errcode: 45015 })] })
    expect(await events()).toEqual([])
    await world.redis.hset(keys.sendJob(id), 'data', JSON.stringify({ v: 2, ...text('oA'), onClosed: 'hold', ...more }))
    expect((await burierOf(holdMaxMs).expire(id)).kind).toBe('dead')
    expect(await events()).toMatchObject([
      {
        id: `c-${id.slice(2)}-expired-waiting`,
        type: 'message.expired-waiting',
        data: { id, status: 'dead', attempts: 1 },
      },
    ])
  })
})

describe('an app', () => {
  const SECRET_INVALID = reasonOf({ errcode: 40125, name: 'secret-invalid' })
  const fault = (more: Partial<AppFault> = {}) => ({
    token: 't',
    tells: ALL,
    fault: appFault({ cause: 'token', reason: SECRET_INVALID, holdMs: 1, everyMs: 1, ...more }),
  })
  const TYPES = ['app.suspended', 'app.resumed']
  const types = async () => (await events()).map(({ type }) => type)

  it('is told of when it is suspended, once, and when it goes on', async () => {
    await reportFault(world.store, APP, fault())
    await reportFault(world.store, APP, fault())
    expect(await events()).toMatchObject([
      { type: 'app.suspended', data: { appid: APP, status: 'suspended', errcode: 40125, reason: 'secret-invalid' } },
    ])
    await liftTokenFault(world.store, APP)
    await liftTokenFault(world.store, APP)
    expect(await types()).toEqual(TYPES)
    const [suspended, resumed] = await events()
    expect(resumed).toMatchObject({ data: { appid: APP, status: 'active' } })
    expect(suspended?.id).toMatch(/^c-wx0123456789abcdef-\d{13}-suspended$/)
    expect(await world.redis.exists(keys.callbackSuspended, keys.hold)).toBe(0)
  })

  it('goes on by the word of an operator, whose process knows of no receiver', async () => {
    await reportFault(world.store, APP, fault())
    await resumeApp(world.store, APP)
    expect(await types()).toEqual(TYPES)
    await resumeApp(world.store, APP)
    expect(await types()).toEqual(TYPES)
  })

  it('goes on although another program has spoilt what is told then', async () => {
    await reportFault(world.store, APP, fault())
    await world.redis.del(keys.callbackSuspended)
    await world.redis.lpush(keys.callbackSuspended, 'x')
    await resumeApp(world.store, APP)
    expect(await world.redis.exists(keys.callbackSuspended, keys.hold)).toBe(0)
    expect(await world.redis.hget(keys.sendMeta, 'paused')).toBeNull()
    expect(await types()).toEqual(['app.suspended'])
  })

  it('goes on by the delivery of its probe', async () => {
    await reportFault(world.store, APP, fault({ cause: 'send' }))
    await vi.waitFor(async () => expect(await takeProbeTurn(world.store, APP)).toEqual({ kind: 'probing' }), 20_000)
    await world.redis.hset(keys.hold, 'prober', 't')
    expect(await proveApp(world.store, APP, { token: 't', proof: 'delivered' })).toBe('lifted')
    expect(await types()).toEqual(TYPES)
  })

  it('is not told of where nobody wants it', async () => {
    await reportFault(world.store, APP, { ...fault(), tells: new Set(['message.dead'] as const) })
    await liftTokenFault(world.store, APP)
    expect(await world.redis.keys(`${keys.callbackJobs}*`)).toEqual([])
  })
})
