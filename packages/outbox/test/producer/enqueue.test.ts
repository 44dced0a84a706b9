import {
  REDIS_ERRORS,
  type RedisErrorName,
  startRedisProxy,
  startTcpProxy,
  type TcpProxy,
} from '@wechat-outbox/sandbox'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createEnqueuer } from '../../src/producer/enqueue.ts'
import { type NewMessage, newMessage } from '../../src/producer/new-message.ts'
import { idempotencyDigest } from '../../src/redis/keys.ts'
import type { Store } from '../../src/redis/store.ts'
import { APP, keys, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const message = (n: number, touser = 'o1'): NewMessage => ({
  appid: APP,
  id: `m-${n}`,
  data: { v: 1, ...text(touser, `n${n}`) },
})
const jobs = async (): Promise<string[]> => (await world.redis.keys(`${keys.sendJobs}m-*`)).toSorted()

describe('what waits for Redis', () => {
  it('has a bound, and room again once it has been answered', async () => {
    const gate = Promise.withResolvers<Store>()
    gate.promise.catch(() => undefined)
    let open = (): Promise<Store> => gate.promise
    const enqueuer = createEnqueuer(() => open())
    const waiting = Array.from({ length: 20_000 }, (_, n) => enqueuer.enqueue(message(n)))
    const settled = Promise.allSettled(waiting)
    await expect(enqueuer.enqueue(message(20_000))).rejects.toMatchObject({
      code: 'WXO_UNAVAILABLE',
      message: expect.stringContaining('20000'),
    })
    gate.reject(new Error('Connection is closed.'))
    const results = await settled
    expect(results.every((one) => one.status === 'rejected' && one.reason.code === 'WXO_UNAVAILABLE')).toBe(true)
    open = () => Promise.resolve(world.store)
    expect(await vi.waitFor(() => enqueuer.enqueue(message(1)), 20_000)).toEqual({
      id: 'm-1',
      duplicate: false,
      stands: 'queued',
    })
    expect(await jobs()).toEqual([keys.sendJob('m-1')])
  })
})

describe('messages that are stored together', () => {
  it('are held apart by app', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    const other = 'wxfedcba9876543210'
    await Promise.all([
      enqueuer.enqueue(message(1)),
      enqueuer.enqueue({ ...message(2), appid: other }),
      enqueuer.enqueue(message(3)),
    ])
    expect(await world.redis.lrange(keys.lane('o1'), '0', '-1')).toEqual(['m-1', 'm-3'])
    expect(await world.redis.lrange(keys.lane('o1').replace(APP, other), '0', '-1')).toEqual(['m-2'])
  })

  it('are stored or refused each by itself, and whole', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    // A lane that is no list takes no message.
    await world.redis.set(keys.lane('o-broken'), 'text')
    const broken = { ...message(3, 'o-broken'), guard: { key: 'broken', fingerprint: 'f', ttlMs: 60_000 } }
    const calls = [message(1), message(2), broken, message(4)].map((one) => enqueuer.enqueue(one))
    const [, , refused, ...others] = await Promise.allSettled(calls)
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'WXO_UNAVAILABLE' } })
    expect(others).toMatchObject([{ status: 'fulfilled' }])
    expect(await world.redis.lrange(keys.lane('o1'), '0', '-1')).toEqual(['m-1', 'm-2', 'm-4'])
    expect(await jobs()).toEqual(['m-1', 'm-2', 'm-4'].map(keys.sendJob))
    expect(await world.redis.exists(keys.idempotency + idempotencyDigest('broken'))).toBe(0)
  })

  it('leave nothing behind when Redis is full, and say so', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    const guard = { key: 'full', fingerprint: 'f', ttlMs: 60_000 }
    await world.redis.config('SET', 'maxmemory', '1')
    const refused = await Promise.allSettled([message(1), { ...message(2), guard }].map((one) => enqueuer.enqueue(one)))
    await world.redis.config('SET', 'maxmemory', '0')
    for (const one of refused) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'WXO_FULL' } })
    expect(await world.redis.dbsize()).toBe(0)
  })

  it('leave no trace of a repeat', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    const guard = { key: 'again', fingerprint: 'f', ttlMs: 60_000 }
    const later = { sendAt: 1_900_000_060_000, expiresAt: 1_900_000_120_000 }
    const one = (n: number) => ({ ...message(n), guard, data: { ...message(n).data, ...later } })
    expect(await enqueuer.enqueue(one(1))).toEqual({ id: 'm-1', duplicate: false, stands: 'scheduled' })
    const before = await world.redis.keys('*')
    expect(await enqueuer.enqueue(one(2))).toEqual({ id: 'm-1', duplicate: true })
    expect((await world.redis.keys('*')).toSorted()).toEqual(before.toSorted())
    expect(await world.redis.zrange(keys.expiring, '0', '-1')).toEqual(['m-1'])
    expect(await world.redis.zrange(keys.sendDelayed, '0', '-1')).toEqual(['m-1'])
    expect(await world.redis.pttl(keys.idempotency + idempotencyDigest('again'))).toBeGreaterThan(0)
  })

  it('keep the order of the calls when some of them had to wait for the connection', async () => {
    const gate = Promise.withResolvers<Store>()
    const opening = Promise.withResolvers<void>()
    const opens = [
      () => Promise.resolve(world.store),
      () => {
        opening.resolve()
        return gate.promise
      },
    ]
    const enqueuer = createEnqueuer(() => (opens.shift() ?? (() => Promise.resolve(world.store)))())
    await enqueuer.enqueue(message(0))
    // The first goes at once; the second waits for company, and then for the connection.
    const early = [enqueuer.enqueue(message(1)), enqueuer.enqueue(message(2))]
    await opening.promise
    const late = Array.from({ length: 120 }, (_, n) => enqueuer.enqueue(message(n + 3)))
    gate.resolve(world.store)
    await Promise.all([...early, ...late])
    const order = await world.redis.lrange(keys.lane('o1'), '0', '-1')
    expect(order).toEqual(Array.from({ length: 123 }, (_, n) => `m-${n}`))
  })

  /** An outbox that has stored one message, and then gets this answer to its next script. */
  async function refusedOnce(error: RedisErrorName) {
    const refused = Promise.withResolvers<void>()
    const proxy = await startRedisProxy({ targetPort: Number(new URL(world.url).port) })
    onTestFinished(() => proxy.close())
    const outbox = world.outbox({ redis: proxy.url })
    const { id } = await outbox.send(text('o1'))
    proxy.setOnCommand((command) => {
      if (!command.includes(keys.lanes)) return undefined
      proxy.setOnCommand()
      refused.resolve()
      return { refuse: REDIS_ERRORS[error] }
    })
    return { outbox, id, refused: refused.promise }
  }

  it('keep the order of the calls when Redis does not know the script of the first', async () => {
    const { outbox, id, refused } = await refusedOnce('NOSCRIPT')
    // More than a script holds, so that several leave at once; and some more while the first is being refused.
    const burst = Array.from({ length: 120 }, () => outbox.send(text('o1')))
    await refused
    const later = Array.from({ length: 5 }, () => outbox.send(text('o1')))
    const stored = (await Promise.all([...burst, ...later])).map((receipt) => receipt.id)
    expect(await world.redis.lrange(keys.lane('o1'), '0', '-1')).toEqual([id, ...stored])
  })

  it('are refused with those to the same person that leave before them, and hold up nothing later', async () => {
    const { outbox, id } = await refusedOnce('MISCONF')
    const burst = await Promise.allSettled(Array.from({ length: 120 }, () => outbox.send(text('o1'))))
    for (const one of burst) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'WXO_UNAVAILABLE' } })
    const { id: later } = await outbox.send(text('o1'))
    expect(await world.redis.lrange(keys.lane('o1'), '0', '-1')).toEqual([id, later])
  })

  it('are stored once by a Redis that has forgotten the script', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    await enqueuer.enqueue(message(1))
    await world.redis.script('FLUSH')
    await Promise.all([enqueuer.enqueue(message(2)), enqueuer.enqueue(message(3))])
    expect(await world.redis.lrange(keys.lane('o1'), '0', '-1')).toEqual(['m-1', 'm-2', 'm-3'])
    expect(await jobs()).toHaveLength(3)
  })
})

describe('newMessage', () => {
  it('leaves the idempotency key out and adds the version', () => {
    const { text: sent, ...rest } = text('o1')
    const made = newMessage('m-1', { ...rest, text: sent, idempotencyKey: 'S3CRET' }, [sent.content])
    expect(made).toEqual({ id: 'm-1', data: { v: 1, ...text('o1') }, followers: [] })
  })

  it('makes each part of a text a message of its own, which says which it is', () => {
    const request = { ...text('o1', 'one two'), metadata: { order: 7 } }
    const part = (n: number) => ({ n, of: 2, first: 'm-1' })
    expect(newMessage('m-1', request, ['one', 'two'])).toEqual({
      id: 'm-1',
      data: { v: 1, ...request, text: { content: 'one' }, part: part(1) },
      followers: [{ id: 'm-1p2', data: { v: 1, ...request, text: { content: 'two' }, part: part(2) } }],
    })
  })
})

describe('a reply that is lost on its way', () => {
  let proxy: TcpProxy
  beforeEach(async () => {
    proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
    return () => proxy.close()
  })
  const mended = (): void => {
    proxy.cutReplies(false)
    proxy.resetAll()
  }

  it('rejects, and the repeat with the same key finds the one message', async () => {
    const outbox = world.outbox({ redis: proxy.url('redis') })
    await outbox.send(text('o-first'))
    const request = { ...text('o-lost'), idempotencyKey: 'lost' }
    proxy.cutReplies(true)
    await expect(outbox.send(request)).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    mended()
    const repeated = await vi.waitFor(() => outbox.send(request), 10_000)
    expect(repeated).toMatchObject({ duplicate: true, status: 'queued' })
    expect(await world.redis.lrange(keys.lane('o-lost'), '0', '-1')).toEqual([repeated.id])
    expect(await jobs()).toHaveLength(2)
  })

  it('is not followed by a repeat of our own', async () => {
    const outbox = world.outbox({ redis: proxy.url('redis') })
    await outbox.send(text('o-first'))
    proxy.cutReplies(true)
    const lost = [outbox.send(text('o-lost')), outbox.send(text('o-lost-too'))]
    for (const one of await Promise.allSettled(lost)) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'WXO_UNAVAILABLE' } })
    }
    mended()
    // The connection is up again, and whatever it would have repeated it has repeated by now.
    await vi.waitFor(() => outbox.send(text('o-last')), 10_000)
    expect(await world.redis.llen(keys.lane('o-lost'))).toBe(1)
    expect(await world.redis.llen(keys.lane('o-lost-too'))).toBe(1)
    expect(await jobs()).toHaveLength(4)
  })

  it('leaves nothing open when the connection is reset with messages on the way', async () => {
    const outbox = world.outbox({ redis: proxy.url('redis') })
    await outbox.send(text('o-first'))
    proxy.stall(true)
    const open = outbox.send(text('o-reset'))
    const rejected = expect(open).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    proxy.resetAll()
    proxy.stall(false)
    await rejected
    await vi.waitFor(() => outbox.send(text('o-last')), 10_000)
    expect(await world.redis.llen(keys.lane('o-reset'))).toBeLessThanOrEqual(1)
  })
})
