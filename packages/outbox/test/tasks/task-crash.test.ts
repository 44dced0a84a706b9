// A task outlives whoever carries it out: workers that are killed at any moment.
import { fileURLToPath } from 'node:url'
import { startProcess } from '@wechat-outbox/sandbox'
import { describe, expect, it, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { crowd, expectOneEach, letDie, pauseSending, receivers, start, taskOf, untilEnded } from '../support/tasks.ts'
import { APP, keys, ownWorld, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const script = fileURLToPath(new URL('../support/consumer-process.ts', import.meta.url))

describe('a worker that is killed', () => {
  it.each(['replay', 'discard'] as const)(
    'loses and doubles nothing of a %s, whenever it dies',
    async (action) => {
      const ids = await letDie(world, crowd(1200, 11))
      await pauseSending(world)
      const id = await start(world, { action, filter: {} })
      let kills = 0
      while ((await taskOf(world, id)).status === 'running' && kills < 40) {
        const child = startProcess({ args: [script, world.url, 'deliver'] })
        await child.waitForLine(/running/)
        const before = await taskOf(world, id)
        // At a different moment each time, also while the letters are being found.
        const goal = before.total === null && kills < 3 ? 0 : before.done + ((kills * 37) % 400)
        await vi.waitFor(
          async () => {
            const now = await taskOf(world, id)
            expect(now.done > goal || now.status === 'done').toBe(true)
          },
          { timeout: WAIT_MS, interval: 1 },
        )
        await child.kill9()
        const now = await taskOf(world, id)
        expect(now.done + (await world.redis.zcard(keys.deadFailed))).toBe(1200)
        kills += 1
      }
      expect(kills).toBeGreaterThan(3)
      expect(await taskOf(world, id)).toMatchObject({ status: 'done', total: 1200, done: 1200, skipped: 0, failed: 0 })
      expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
      if (action === 'replay') await expectOneEach(world, ids, 11)
      expect(await world.redis.keys(`${keys.tasks}${id}:letters*`)).toEqual([])
    },
    180_000,
  )

  it('overtakes nobody, with tasks that overlap, a slow one, single replays and two workers', async () => {
    const ids = await letDie(world, crowd(1200, 9, ['45015', '45047', '40003', '43004']))
    await pauseSending(world)
    const slow = await start(world, { action: 'replay', filter: { errcode: ['45015'] }, perSecond: 40 })
    const both = await start(world, {
      action: 'replay',
      filter: { errcode: ['45015', '45047'], touser: ['o-1', 'o-2'] },
    })
    const singles = ids.filter((_, n) => n % 13 === 5).toReversed()
    for (const id of singles) await requestReplay(world.store, APP, id)
    const all = await start(world, { action: 'replay', filter: {} })
    const begin = async () => {
      const child = startProcess({ args: [script, world.url, 'deliver'] })
      await child.waitForLine(/running/)
      return child
    }
    const workers = [await begin()]
    const left = () => world.redis.zcard(keys.deadByTime)
    for (let kills = 0; (await left()) > 0 && kills < 30; kills += 1) {
      workers.push(await begin())
      const goal = (await left()) - ((kills * 53) % 160)
      await vi.waitFor(async () => expect(await left()).toBeLessThanOrEqual(Math.max(0, goal)), {
        timeout: WAIT_MS,
        interval: 1,
      })
      await workers.shift()?.kill9()
    }
    const ended = [await untilEnded(world, slow), await untilEnded(world, both), await untilEnded(world, all)]
    for (const worker of workers) await worker.kill9()
    for (const { total, done, skipped, failed } of ended) expect([done + skipped, failed]).toEqual([total, 0])
    const done = ended.reduce((sum, task) => sum + task.done, 0)
    expect(done).toBeLessThanOrEqual(1200)
    expect(done).toBeGreaterThanOrEqual(1200 - singles.length)
    await expectOneEach(world, ids, 9)
  }, 180_000)

  it('loses and doubles nothing of what is taken back', async () => {
    await letDie(world, crowd(1200, 11))
    await pauseSending(world)
    const id = await start(world, { action: 'replay', filter: {} })
    const { consumer } = await world.consumer(receivers().deliver)
    await untilEnded(world, id)
    await consumer.close(1000)
    await world.redis.hset(keys.task(id), 'takingBack', '1', 'status', 'cancelled')
    await world.redis.zadd(keys.tasksOpen, Date.now(), id)
    for (let kills = 0; (await world.redis.zcard(keys.tasksOpen)) > 0; kills += 1) {
      const child = startProcess({ args: [script, world.url, 'deliver'] })
      await child.waitForLine(/running/)
      const goal = (await taskOf(world, id)).takenBack + ((kills * 97) % 600)
      await vi.waitFor(
        async () => {
          const { takenBack } = await taskOf(world, id)
          expect(takenBack > goal || takenBack === 1200).toBe(true)
        },
        { timeout: WAIT_MS, interval: 1 },
      )
      await child.kill9()
      const { takenBack } = await taskOf(world, id)
      expect(takenBack).toBe(await world.redis.zcard(keys.deadFailed))
      expect((await world.redis.llen(keys.sendWait)) + (await world.redis.zcard(keys.sendDelayed))).toBe(
        1200 - takenBack,
      )
    }
    expect(await taskOf(world, id)).toMatchObject({ takenBack: 1200 })
    expect(await world.redis.keys(`${keys.sendJobs}m-*`)).toEqual([])
  }, 180_000)

  it('is replaced within seconds by one that runs already and has heard of nothing', async () => {
    const ids = await letDie(world, crowd(20, 4))
    // The worker looks, may do nothing, and waits to be told of something; and nobody tells it.
    await world.redis.hset(`${keys.deadJobs}meta`, 'paused', '1')
    await world.consumer(receivers().deliver)
    const id = await start(world, { action: 'replay', filter: {} })
    await vi.waitFor(async () => expect((await taskOf(world, id)).total).toBe(20), WAIT_MS)
    await vi.waitFor(async () => expect(await world.redis.exists(keys.deadMarker)).toBe(0), WAIT_MS)
    await world.redis.hdel(`${keys.deadJobs}meta`, 'paused')
    await vi.waitFor(async () => expect((await taskOf(world, id)).done).toBe(ids.length), WAIT_MS)
  })
})
