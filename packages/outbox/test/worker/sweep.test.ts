// What nothing but the sweep sees to: that the content of delivered messages does not stay for ever in an app in which nothing happens.
import { describe, expect, it, vi } from 'vitest'
import { runScript } from '../../src/redis/scripts.ts'
import { keepArguments, trimDelivered } from '../../src/worker/trim.ts'
import { spoil } from '../support/spoil.ts'
import { APP, consumerDefaults, delivering, keys, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const OFTEN = { sweepEveryMs: 100 }
const soon = (look: () => Promise<void>) => vi.waitFor(look, { timeout: WAIT_MS })

describe('where another program has put something else under a key of the app', () => {
  it('the sweep does the rest, and says which step it cannot take', async () => {
    const spoilt = [keys.sendFailed, keys.expiring, keys.parkedLanes, keys.callbackCompleted, keys.deadByTime]
    const retain = { ...consumerDefaults(world.store).retain, deliveredMs: 1000 }
    const { consumer, problems } = await world.consumer(delivering([]), { ...OFTEN, retain })
    const { id } = await world.outbox().send(text('o-one'))
    await soon(async () => expect(await world.outbox().status(id)).toMatchObject({ status: 'delivered' }))
    for (const key of spoilt) await spoil(world.redis, key)
    await soon(async () => expect(await world.redis.exists(keys.sendJob(id))).toBe(0))
    const told = () => new Set(problems.map(({ what }) => what))
    await soon(() => Promise.resolve(expect(told()).toContain('the sweep, old dead letters')))
    expect(told()).toEqual(
      new Set([
        'the sweep, messages that have failed',
        'the sweep, messages that have expired',
        'the sweep, lanes that stand still',
        'the sweep, old events',
        'the sweep, old dead letters',
      ]),
    )
    expect(problems.every(({ error }) => error.includes('WRONGTYPE'))).toBe(true)
    await consumer.close(2000)
  })
})

describe('a delivered message', () => {
  it('goes when its time is over, though nothing else happens; a repeat and who comes after it are as ever', async () => {
    const sent: string[] = []
    const retain = { ...consumerDefaults(world.store).retain, deliveredMs: 1000 }
    const { consumer } = await world.consumer(delivering(sent), { ...OFTEN, retain })
    const message = { ...text('o-one', 'for its time only'), idempotencyKey: 'once' }
    const { id } = await world.outbox().send(message)
    await soon(async () => expect(await world.outbox().status(id)).toMatchObject({ status: 'delivered' }))
    await soon(async () => expect(await world.redis.exists(keys.sendJob(id), keys.sendCompleted)).toBe(0))
    const events = JSON.stringify(await world.redis.xrange(keys.sendEvents, '-', '+'))
    expect(events).toContain(id)
    expect(events).not.toMatch(/for its time only|o-one/)
    expect(await world.outbox().send(message)).toEqual({ id, status: 'delivered', duplicate: true })
    const after = await world.outbox().send(text('o-one', 'after it'))
    await soon(async () => expect(sent).toEqual([id, after.id]))
    await consumer.close(2000)
  })

  it('goes with others in scripts that take a bounded number at once', async () => {
    const count = 2510
    const now = world.store.clock.now()
    const ids = Array.from({ length: count }, (_, n) => `m-${String(n).padStart(4, '0')}`)
    const writing = world.redis.pipeline()
    for (const [n, id] of ids.entries()) {
      writing.hset(keys.sendJob(id), 'name', 'text').zadd(keys.sendCompleted, now - 60_000 + n, id)
    }
    await writing.exec()
    const keep = { ms: 3_600_000, count: 10 }
    const args = [keys.sendJobs, ...keepArguments(keep)]
    expect(await runScript(world.redis, { name: 'trim', keys: [keys.sendCompleted], args })).toBe(1000)
    expect(await trimDelivered(world.store, APP, keep)).toBe(1500)
    expect(await world.redis.zrange(keys.sendCompleted, '0', '-1')).toEqual(ids.slice(-10))
    expect(await trimDelivered(world.store, APP, { ms: 1000, count: 10 })).toBe(10)
    expect(await world.redis.keys('*m-*')).toEqual([])
  })
})
