import { fileURLToPath } from 'node:url'
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { startProcess } from '@wechat-outbox/sandbox'
import { Worker } from 'bullmq'
import { describe, expect, it, vi } from 'vitest'
import { appPrefix } from '../../src/redis/keys.ts'
import { burierOn, dying, failed, untilDead } from '../support/dead.ts'
import { spoil } from '../support/spoil.ts'
import { APP, dies, keys, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

describe('a message that dies', () => {
  it('stands in the dead letters, failed with its reason, with everything that was tried', async () => {
    const outbox = world.outbox()
    const { dead } = await world.consumer(dying)
    const { id } = await outbox.send({ ...text('o-dies', '再见'), metadata: { order: 7 } })
    const job = await untilDead(world, id)
    expect(await job.getState()).toBe('failed')
    expect(job.failedReason).toBe('45015 reply-window-closed: response out of time limit')
    expect(job.name).toBe('text')
    expect(job.data).toMatchObject({
      messageId: id,
      message: { v: 1, touser: 'o-dies', text: { content: '再见' }, metadata: { order: 7 } },
      reason: {
        errcode: 45015,
        name: 'reply-window-closed',
        meaning: { en: expect.any(String), zh: expect.any(String) },
      },
      attempts: [{ outcome: 'dead', errcode: 45015 }],
    })
    expect(await world.send.getJob(id)).toBeUndefined()
    expect(await world.redis.exists(keys.lane('o-dies'))).toBe(0)
    expect(dead.map((one) => one.id)).toEqual([deadLetterIdOf(id)])
    expect(await outbox.status(id)).toMatchObject({
      status: 'dead',
      deadLetter: deadLetterIdOf(id),
      metadata: { order: 7 },
    })
  })

  it('is buried as well when other hands failed it by stalling, which no run sees', async () => {
    const { id } = await world.outbox().send(text('o-stalls'))
    const lapses = { maxStalledCount: 0, lockDuration: 100, skipLockRenewal: true, stalledInterval: 150 }
    const options = { connection: world.redis, prefix: appPrefix(APP), concurrency: 2, ...lapses }
    const foreign = new Worker('send', () => new Promise(() => undefined), options)
    foreign.on('error', () => undefined)
    await vi.waitFor(async () => expect(await world.redis.zscore(keys.sendFailed, id)).not.toBeNull(), 10_000)
    await foreign.close(true)
    await world.consumer(dying)
    const job = await untilDead(world, id)
    expect(job.failedReason).toMatch(/^failed-elsewhere: job stalled/)
  })

  it('is unsure when other hands failed it while its call may have been open', async () => {
    const [id = ''] = await failed(world, 'o-open')
    await world.redis.hset(keys.sendJob(id), 'sending', `${Date.now()} a-worker`)
    await world.consumer(dying)
    expect((await untilDead(world, id)).data.reason.name).toBe('unsure')
  })

  it('is not dead when WeChat has taken it', async () => {
    const { id } = await world.outbox().send(text('o-settled'))
    const { consumer } = await world.consumer(async (run) => {
      await world.redis.hset(keys.sendJob(run.id), 'settled', 'delivered')
      return dies()
    })
    await vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(1), WAIT_MS)
    expect((await world.outbox().status(id))?.status).toBe('delivered')
    expect(await world.dead.getJob(deadLetterIdOf(id))).toBeUndefined()
    await consumer.close(1000)
  })

  it('is left alone once somebody has retried it', async () => {
    const { id } = await world.outbox().send(text('o-once'))
    const options = { connection: world.redis, prefix: appPrefix(APP) }
    const foreign = new Worker('send', () => Promise.reject(new Error('x')), options)
    await vi.waitFor(async () => expect(await world.redis.zscore(keys.sendFailed, id)).not.toBeNull(), 5000)
    await foreign.close()
    const { burier, dead } = burierOn(world.store)
    await (await world.send.getJob(id))?.retry()
    expect((await burier.bury(id)).kind).toBe('changed')
    expect(await world.send.getJob(id)).toBeDefined()
    expect(dead).toEqual([])
  })
})

describe('the sweep for messages that have failed', () => {
  it('ends, and removes what is no job any more', async () => {
    const [broken = '', sound = ''] = await failed(world, 'o-broken', 2)
    await world.redis.hdel(keys.sendJob(broken), 'name')
    const { burier, dead } = burierOn(world.store)
    expect(await burier.sweep()).toBe(1)
    expect(dead).toEqual([deadLetterIdOf(sound)])
    expect(await world.redis.exists(keys.sendFailed, keys.sendJob(broken), keys.lane('o-broken'))).toBe(0)
  })

  it('ends where a message changes each time that it is looked at', async () => {
    const [id = ''] = await failed(world, 'o-busy')
    const busy = Object.create(world.redis) as typeof world.redis
    busy.hgetall = (async (key: string) => {
      const read = await world.redis.hgetall(key)
      await world.redis.hincrby(key, 'ats', 1)
      return read
    }) as typeof busy.hgetall
    expect(await burierOn({ ...world.store, redis: busy }).burier.sweep()).toBe(0)
    expect(await world.redis.zscore(keys.sendFailed, id)).not.toBeNull()
  })

  it('buries the others where another program has spoilt one, and names it', async () => {
    const [broken = '', sound = ''] = await failed(world, 'o-broken', 2)
    await spoil(world.redis, keys.sendJob(broken))
    const { burier, dead } = burierOn(world.store)
    await expect(burier.sweep()).rejects.toThrow(`${broken}: WRONGTYPE`)
    expect(dead).toEqual([deadLetterIdOf(sound)])
  })
})

describe('dying over kill -9', () => {
  it('loses and doubles nothing', async () => {
    const ids = await world.accept(Array.from({ length: 1000 }, (_, n) => text(`o-${n % 50}`, `n${n}`)))
    const script = fileURLToPath(new URL('../support/consumer-process.ts', import.meta.url))
    let kills = 0
    for (let last = -1; kills < 40; kills += 1) {
      const dead = await world.redis.zcard(keys.deadByTime)
      if (dead === ids.length || (dead === last && kills > 30)) break
      last = dead
      const child = startProcess({ args: [script, world.url] })
      await child.waitForLine(/running/)
      const goal = Math.min(ids.length, dead + 5 + ((kills * 11) % 61))
      await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadByTime)).toBeGreaterThanOrEqual(goal), {
        timeout: 30_000,
        interval: 1,
      })
      await child.kill9()
    }
    expect(kills).toBeGreaterThan(8)
    await world.consumer(dying)
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadFailed)).toBe(ids.length), {
      timeout: 60_000,
      interval: 200,
    })
    const dead = await world.redis.zrange(keys.deadFailed, '0', '-1')
    expect(new Set(dead)).toEqual(new Set(ids.map(deadLetterIdOf)))
    await vi.waitFor(
      async () =>
        expect(await world.send.getJobCounts()).toMatchObject({ failed: 0, waiting: 0, active: 0, delayed: 0 }),
      20_000,
    )
    expect(await world.redis.keys('*:lane:*')).toEqual([])
  }, 180_000)
})
