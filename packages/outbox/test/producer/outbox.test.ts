import { describe, expect, it, vi } from 'vitest'
import { OutboxError } from '../../src/errors.ts'
import { Outbox } from '../../src/producer/outbox.ts'
import { APP, delivering, keys, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld()

describe('send', () => {
  it('stores the message as a job of version 1 and its place in the lane', async () => {
    const { id, status, duplicate } = await world.outbox().send(text('o-stored', '您好 👋'))
    expect({ status, duplicate }).toEqual({ status: 'queued', duplicate: false })
    expect(id).toMatch(/^m-/)
    const job = await world.send.getJob(id)
    expect(job?.name).toBe('text')
    expect(job?.data).toEqual({ v: 1, touser: 'o-stored', msgtype: 'text', text: { content: '您好 👋' } })
    expect(await world.redis.lrange(keys.lane('o-stored'), '0', '-1')).toEqual([id])
  })

  it('keeps the order of its calls in the lane, across batches', async () => {
    const outbox = world.outbox()
    const receipts = await Promise.all(Array.from({ length: 1200 }, (_, n) => outbox.send(text('o-order', `n${n}`))))
    expect(await world.redis.lrange(keys.lane('o-order'), '0', '-1')).toEqual(receipts.map(({ id }) => id))
  })

  it('refuses what cannot be delivered, with the path of each problem', async () => {
    const refused = world.outbox().send({ touser: 'not an openid', msgtype: 'text', text: { content: '' } })
    await expect(refused).rejects.toMatchObject({
      code: 'WXO_INVALID',
      issues: [{ path: 'touser' }, { path: 'text.content' }],
    })
  })

  it('survives a ten-megabyte body, a polluting key, half a surrogate and a NUL', async () => {
    const outbox = world.outbox()
    const bodies = [
      text('o-bad', 'x'.repeat(10_000_000)),
      { ...text('o-bad'), metadata: JSON.parse('{"__proto__":{"polluted":1}}') },
      text('o-bad', 'a\ud800'),
      text('o-bad', 'a\0b'),
    ]
    for (const body of bodies) await expect(outbox.send(body)).rejects.toMatchObject({ code: 'WXO_INVALID' })
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    await expect(outbox.send(text('o-good'))).resolves.toMatchObject({ status: 'queued' })
  })

  it('needs an appid from the message or from the Outbox', async () => {
    const outbox = new Outbox({ redis: world.url })
    await expect(outbox.send(text('o1'))).rejects.toMatchObject({ code: 'WXO_CONFIG' })
    await expect(outbox.send({ ...text('o1'), appid: 'wx1' })).rejects.toMatchObject({ issues: [{ path: 'appid' }] })
    await expect(outbox.send({ ...text('o1'), appid: APP })).resolves.toMatchObject({ status: 'queued' })
    await outbox.close()
  })

  it('answers each of many by itself', async () => {
    const results = await world.outbox().sendMany([text('o-many'), text('o many'), text('o-many')])
    expect(results.map((result) => ('error' in result ? result.error.code : result.status))).toEqual([
      'queued',
      'WXO_INVALID',
      'queued',
    ])
  })
})

describe('an idempotency key', () => {
  it('makes one message of 50 concurrent repeats by several producers', async () => {
    const producers = [world.outbox(), world.outbox(), world.outbox()]
    const repeats = Array.from({ length: 17 }, () =>
      producers.map((producer) => producer.send({ ...text('o-repeat'), idempotencyKey: 'order-7' })),
    )
    const receipts = await Promise.all(repeats.flat())
    expect(new Set(receipts.map((receipt) => receipt.id)).size).toBe(1)
    expect(receipts.filter((receipt) => !receipt.duplicate)).toHaveLength(1)
    expect(await world.redis.lrange(keys.lane('o-repeat'), '0', '-1')).toEqual([receipts[0]?.id])
    const places = await world.redis.lrange(keys.sendWait, '0', '-1')
    expect(places.filter((id) => receipts.some((receipt) => receipt.id === id))).toHaveLength(1)
  })

  it('refuses another body, and does not mind the order of keys', async () => {
    const outbox = world.outbox()
    const first = await outbox.send({ ...text('o-fp'), metadata: { a: 1, b: 2 }, idempotencyKey: 'fp' })
    const again = await outbox.send({ metadata: { b: 2, a: 1 }, ...text('o-fp'), idempotencyKey: 'fp' })
    expect(again).toMatchObject({ id: first.id, duplicate: true })
    await expect(outbox.send({ ...text('o-fp', 'other'), idempotencyKey: 'fp' })).rejects.toMatchObject({
      code: 'WXO_CONFLICT',
      message: `the idempotency key belongs to another message, ${first.id}: take a new key for a new message; a key repeats only with the same body`,
    })
  })

  it('is remembered after the message has been delivered and trimmed', async () => {
    const outbox = world.outbox()
    const sent: string[] = []
    const retain = { deliveredMs: 3_600_000, deliveredMax: 0, deadMs: 3_600_000 }
    const { consumer } = await world.consumer(delivering(sent), { retain })
    const { id } = await outbox.send({ ...text('o-trim'), idempotencyKey: 'trim' })
    await vi.waitFor(async () => expect(await outbox.status(id)).toBeNull(), 5000)
    expect(await outbox.send({ ...text('o-trim'), idempotencyKey: 'trim' })).toEqual({
      id,
      status: 'delivered',
      duplicate: true,
    })
    await consumer.close(1000)
    expect(sent.filter((one) => one === id)).toHaveLength(1)
  })
})

describe('scheduling and cancelling', () => {
  it('keeps a scheduled message out of the lane until it is due', async () => {
    const outbox = world.outbox()
    const { id, status } = await outbox.send({ ...text('o-later'), sendAt: Date.now() + 60_000 })
    expect(status).toBe('scheduled')
    expect(await outbox.status(id)).toMatchObject({ status: 'scheduled', touser: 'o-later' })
    expect(await world.redis.exists(keys.lane('o-later'))).toBe(0)
  })

  it('takes a waiting message back, once and for all, and lets the next one go', async () => {
    const outbox = world.outbox()
    const { id } = await outbox.send(text('o-cancel'))
    const next = await outbox.send(text('o-cancel'))
    expect(await outbox.cancel(id)).toBe('cancelled')
    expect(await outbox.cancel(id)).toBe('cancelled')
    expect(await outbox.status(id)).toMatchObject({ status: 'cancelled' })
    expect(await world.redis.lrange(keys.lane('o-cancel'), '0', '-1')).toEqual([next.id])
    expect(await outbox.status(next.id)).toMatchObject({ status: 'queued' })
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toContain(next.id)
    expect(await outbox.cancel('m-nobody')).toBe('unknown')
  })

  it('comes too late for a message that WeChat has taken, or whose worker died, though it waits again', async () => {
    const outbox = world.outbox()
    const taken = await outbox.send(text('o-taken-back'))
    await world.redis.hset(keys.sendJob(taken.id), 'settled', 'delivered')
    expect(await outbox.cancel(taken.id)).toBe('too-late')
    const stalled = await outbox.send(text('o-stalled-back'))
    await world.redis.hset(keys.sendJob(stalled.id), 'stc', '1')
    expect(await outbox.cancel(stalled.id)).toBe('too-late')
  })

  it('comes too late for a message that is being sent or was delivered', async () => {
    const outbox = world.outbox()
    let release = (): void => undefined
    const open = new Promise<void>((resolve) => (release = resolve))
    const { consumer } = await world.consumer(async (run) => {
      await open
      return delivering([])(run)
    })
    const { id } = await outbox.send(text('o-late'))
    await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('sending'), 5000)
    expect(await outbox.cancel(id)).toBe('too-late')
    release()
    await vi.waitFor(async () => expect((await outbox.status(id))?.status).toBe('delivered'), 5000)
    expect(await outbox.cancel(id)).toBe('too-late')
    await consumer.close(1000)
  })
})

describe('while Redis is away', () => {
  it('fails with a clear error, recovers by itself, and has lost nothing that it acknowledged', async () => {
    const outbox = world.outbox()
    const { id } = await outbox.send(text('o-kept'))
    await world.stopRedis('stop')
    const refused: unknown = await outbox
      .send({ ...text('o-away'), idempotencyKey: 'away' })
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(OutboxError)
    expect(refused).toMatchObject({ code: 'WXO_UNAVAILABLE' })
    await world.startRedis()
    const receipt = await vi.waitFor(() => outbox.send({ ...text('o-away'), idempotencyKey: 'away' }), 10_000)
    expect(receipt.status).toBe('queued')
    expect(await outbox.status(id)).toMatchObject({ status: 'queued' })
  })

  it('rejects when it was never there', async () => {
    const outbox = new Outbox({ redis: 'redis://127.0.0.1:1', appid: APP })
    await expect(outbox.send(text('o1'))).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    await outbox.close()
  })
})

describe('an Outbox over connections of its process', () => {
  it('sends, reads and cancels over them, opens none, and leaves them open', async () => {
    const clients = async (): Promise<number> =>
      String(await world.redis.client('LIST'))
        .trim()
        .split('\n').length
    const before = await clients()
    const outbox = new Outbox({ redis: { open: () => Promise.resolve(world.store) }, appid: APP })
    const { id } = await outbox.send({ ...text('o-link'), sendAt: Date.now() + 60_000 })
    expect(await outbox.status(id)).toMatchObject({ id, status: 'scheduled' })
    expect(await outbox.cancel(id)).toBe('cancelled')
    expect(await clients()).toBe(before)
    await outbox.close()
    expect(await world.redis.ping()).toBe('PONG')
  })
})
