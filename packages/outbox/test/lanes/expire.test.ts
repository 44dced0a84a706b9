import { deadLetterIdOf } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import { pauseApp } from '../../src/app-hold/hold.ts'
import { createBurier } from '../../src/dead-letters/bury.ts'
import { expireMessages } from '../../src/lanes/expire.ts'
import { burierOn } from '../support/dead.ts'
import { spoil } from '../support/spoil.ts'
import { APP, delivering, keys, ownWorld, reasonOf, text } from '../support/world.ts'

const world = ownWorld()

const untilDelivered = (count: number) =>
  vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(count), { timeout: 15_000, interval: 20 })

describe('a message that expires while its app is held', () => {
  it('dies on time, wakes the next one, and leaves those alone that are sent or have time', async () => {
    const dead: { id: string }[] = []
    const burier = createBurier({
      appid: APP,
      store: world.store,
      explain: () => reasonOf(),
      explainExpiry: (last) => reasonOf({ errcode: null, name: 'expired', errmsg: last?.errmsg ?? '' }),
      onDead: (one) => dead.push(one),
      onOccupied: () => undefined,
    })
    await pauseApp(world.store, APP)
    const outbox = world.outbox()
    const at = Date.now()
    const past = (touser: string, extra: object = {}) => ({ ...text(touser), expiresAt: at + 1, ...extra })
    const first = await outbox.send(past('o-anna'))
    const second = await outbox.send(text('o-anna'))
    const scheduled = await outbox.send(past('o-anna', { sendAt: at + 200, expiresAt: at + 201, idempotencyKey: 'k' }))
    const later = await outbox.send({ ...text('o-ben'), expiresAt: at + 3_600_000 })
    const open = await outbox.send(past('o-carl'))
    await world.redis.hset(keys.sendJob(open.id), 'sending', String(at))
    const gone = await outbox.send(past('o-dora'))
    await outbox.cancel(gone.id)
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(at + 201), 20_000)
    expect(await expireMessages(burier, { store: world.store, appid: APP })).toBe(2)
    expect(dead.map(({ id }) => id.slice(2)).toSorted()).toEqual(
      [first.id, scheduled.id].map((id) => id.slice(2)).toSorted(),
    )
    expect(await world.redis.lrange(keys.lane('o-anna'), '0', '-1')).toEqual([second.id])
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toContain(second.id)
    expect(await outbox.status(first.id)).toMatchObject({ status: 'dead' })
    expect((await outbox.status(open.id))?.status).toBe('queued')
    expect((await world.redis.zrange(keys.expiring, '0', '-1')).toSorted()).toEqual([open.id, later.id].toSorted())
  })

  it('dies by the sweep of a worker', async () => {
    await pauseApp(world.store, APP)
    const at = Date.now()
    const { id } = await world.outbox().send({ ...text('o-swept'), expiresAt: at + 1 })
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(at + 1), 20_000)
    const { dead } = await world.consumer(delivering([]))
    await vi.waitFor(() => expect(dead).toMatchObject([{ letter: { messageId: id } }]), 15_000)
  })

  it('dies although another program has spoilt one that expired before it, which is named', async () => {
    await pauseApp(world.store, APP)
    const at = Date.now()
    const [broken = '', sound = ''] = await world.accept(
      [1, 2].map((ms) => ({ ...text(`o-${ms}`), expiresAt: at + ms })),
    )
    await spoil(world.redis, keys.sendJob(broken))
    await vi.waitFor(() => expect(world.store.clock.now()).toBeGreaterThan(at + 2), 20_000)
    const { burier, dead } = burierOn(world.store)
    await expect(expireMessages(burier, { store: world.store, appid: APP })).rejects.toThrow(`${broken}: WRONGTYPE`)
    expect(dead).toEqual([deadLetterIdOf(sound)])
  })

  it('is forgotten by the list once it is delivered', async () => {
    await world.consumer(delivering([]))
    await world.outbox().send({ ...text('o-quick'), expiresAt: Date.now() + 60_000 })
    await untilDelivered(1)
    expect(await world.redis.exists(keys.expiring)).toBe(0)
  })
})
