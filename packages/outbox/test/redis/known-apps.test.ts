import type { Redis } from 'ioredis'
import { describe, expect, it, vi } from 'vitest'
import { createEnqueuer } from '../../src/producer/enqueue.ts'
import { STORED_APPS_KEY } from '../../src/redis/keys.ts'
import { readKnownApps, readServed, readUnserved, unservedSentence } from '../../src/redis/known-apps.ts'
import { APP, delivering, keys, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const OTHER = 'wxfedcba9876543210'

const world = sharedWorld({ isFlushed: true })

/** How often Redis has been asked for this command since the statistics were reset. */
async function calls(command: string): Promise<number> {
  const stats = await world.redis.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

describe('a message for an app that no worker serves', () => {
  it('is told, whether a worker has ever served the app or not', async () => {
    const outbox = world.outbox()
    await outbox.send(text('o1'))
    await outbox.send({ ...text('o1'), appid: OTHER })
    await world.redis.sadd('wxo:apps', OTHER)
    const unserved = await readUnserved(world.store)
    expect(unserved).toEqual([
      { appid: OTHER, waiting: 1, wasServed: true },
      { appid: APP, waiting: 1, wasServed: false },
    ])
    expect(unserved.map(unservedSentence)).toEqual([
      `No worker serves ${OTHER} now, and 1 message waits for one.`,
      `No worker has ever served ${APP}, and 1 message waits for one. Is the appid right?`,
    ])
  })

  it('is told no more once a worker has come, nor once it was cancelled', async () => {
    const outbox = world.outbox()
    const { id } = await outbox.send({ ...text('o1'), appid: OTHER })
    await outbox.send(text('o1'))
    expect(await readUnserved(world.store)).toHaveLength(2)
    await outbox.cancel(id, OTHER)
    expect(await readUnserved(world.store)).toEqual([{ appid: APP, waiting: 1, wasServed: false }])
    const sent: string[] = []
    const { consumer } = await world.consumer(delivering(sent))
    expect(await readServed(world.store, [APP, OTHER])).toEqual(new Set([APP]))
    expect(await readUnserved(world.store)).toEqual([])
    await vi.waitFor(() => expect(sent).toHaveLength(1), WAIT_MS)
    await consumer.close(2000)
    // A minute and a half is not waited for.
    expect(await world.redis.pttl(keys.served)).toBeGreaterThan(60_000)
    await world.redis.del(keys.served)
    await outbox.send(text('o1'))
    expect(await readUnserved(world.store)).toEqual([{ appid: APP, waiting: 1, wasServed: true }])
  })

  it('is told also when a replay waits', async () => {
    await world.redis.sadd('wxo:apps', APP)
    await world.redis.lpush(keys.deadWait, 'd-1')
    expect(await readUnserved(world.store)).toEqual([{ appid: APP, waiting: 1, wasServed: true }])
  })
})

describe('the list of apps that messages were stored for', () => {
  const message = (n: number, appid = APP) => ({ appid, id: `m-${n}`, data: { v: 1 as const, ...text('o1', `n${n}`) } })

  it('is written to once per app and process', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    await world.redis.config('RESETSTAT')
    for (let n = 0; n < 20; n += 1) await enqueuer.enqueue(message(n, n % 2 === 0 ? APP : OTHER))
    expect(await world.redis.zrange(STORED_APPS_KEY, '0', '-1')).toEqual([APP, OTHER].toSorted())
    expect(await calls('zremrangebyrank')).toBe(2)
  })

  it('names an app before its first message exists', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(world.store))
    const monitor = await (world.redis as Redis).monitor()
    const seen: string[] = []
    monitor.on('monitor', (_time: string, [command = '', key = '']: string[]) =>
      seen.push(`${command.toLowerCase()} ${key}`),
    )
    await enqueuer.enqueue(message(1))
    await vi.waitFor(() => expect(seen.some((line) => line.startsWith('evalsha'))).toBe(true), WAIT_MS)
    monitor.disconnect()
    expect(seen.findIndex((line) => line === `zadd ${STORED_APPS_KEY}`)).toBe(0)
  })

  it('has a bound, beyond which those noted first make room', async () => {
    const many = Array.from({ length: 10_000 }, (_, n) => [n, `wx${n.toString(16).padStart(16, '0')}`]).flat()
    await world.redis.zadd(STORED_APPS_KEY, ...many)
    await createEnqueuer(() => Promise.resolve(world.store)).enqueue(message(1))
    await vi.waitFor(async () => expect(await world.redis.zcard(STORED_APPS_KEY)).toBe(10_000), WAIT_MS)
    expect(await world.redis.zrange(STORED_APPS_KEY, '-1', '-1')).toEqual([APP])
    // Nothing is stored for the others.
    expect(await readUnserved(world.store)).toEqual([{ appid: APP, waiting: 1, wasServed: false }])
  })

  it('keeps no message from being stored where the list cannot be written', async () => {
    await world.redis.set(STORED_APPS_KEY, 'no sorted set')
    const outbox = world.outbox()
    expect(await outbox.send(text('o1'))).toMatchObject({ status: 'queued' })
    expect(await outbox.send(text('o1'))).toMatchObject({ status: 'queued' })
  })

  it('may hold what is no appid, which nobody is told', async () => {
    await world.redis.zadd(STORED_APPS_KEY, 1, 'wx1', 2, 'x'.repeat(1000))
    await world.redis.sadd('wxo:apps', '\u001b[31m')
    expect(await readUnserved(world.store)).toEqual([])
    expect(await readKnownApps(world.store, undefined)).toEqual([])
  })
})
