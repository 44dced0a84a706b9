// A task outlives whoever carries it out: workers that are killed at any moment, a Redis that refuses its steps, answers that are lost.
import { fileURLToPath } from 'node:url'
import { replayIdOf } from '@wechat-outbox/messages'
import { REDIS_ERRORS, scriptNamesOf, startProcess, startRedisProxy } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import { cancelTask } from '../../src/tasks/task.ts'
import { REFUSALS, whileRefusing } from '../support/refusals.ts'
import { crowd, letDie, receivers, start, taskOf, untilEnded } from '../support/tasks.ts'
import { APP, createWorld, keys, WAIT_MS, type World } from '../support/world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.close())

const script = fileURLToPath(new URL('../support/consumer-process.ts', import.meta.url))

/** Nothing is sent, so what was replayed waits as it was stored. */
const pause = () => world.redis.hset(keys.sendMeta, 'paused', '1')

/** Each letter has given one message, which waits in its person's lane in the order of acceptance. */
async function expectOneEach(ids: readonly string[], people: number): Promise<void> {
  const jobs = await world.redis.keys(`${keys.sendJobs}m-*`)
  expect(new Set(jobs)).toEqual(new Set(ids.map((id) => keys.sendJob(replayIdOf(id)))))
  for (let person = 0; person < people; person += 1) {
    const expected = ids.filter((_, n) => n % people === person).map(replayIdOf)
    expect(await world.redis.lrange(keys.lane(`o-${person}`), '0', '-1')).toEqual(expected)
  }
}

describe('a worker that is killed', () => {
  it.each(['replay', 'discard'] as const)(
    'loses and doubles nothing of a %s, whenever it dies',
    async (action) => {
      const ids = await letDie(world, crowd(2000, 11))
      await pause()
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
        expect(now.done + (await world.redis.zcard(keys.deadFailed))).toBe(2000)
        kills += 1
      }
      expect(kills).toBeGreaterThan(3)
      expect(await taskOf(world, id)).toMatchObject({ status: 'done', total: 2000, done: 2000, skipped: 0, failed: 0 })
      expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
      if (action === 'replay') await expectOneEach(ids, 11)
      expect(await world.redis.keys(`${keys.tasks}${id}:letters*`)).toEqual([])
    },
    180_000,
  )

  it('overtakes nobody, with tasks that overlap, a slow one, single replays and two workers', async () => {
    const ids = await letDie(world, crowd(1200, 9, ['45015', '45047', '40003', '43004']))
    await pause()
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
    await expectOneEach(ids, 9)
  }, 180_000)

  it('loses and doubles nothing of what is taken back', async () => {
    await letDie(world, crowd(2000, 11))
    await pause()
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
          expect(takenBack > goal || takenBack === 2000).toBe(true)
        },
        { timeout: WAIT_MS, interval: 1 },
      )
      await child.kill9()
      const { takenBack } = await taskOf(world, id)
      expect(takenBack).toBe(await world.redis.zcard(keys.deadFailed))
      expect((await world.redis.llen(keys.sendWait)) + (await world.redis.zcard(keys.sendDelayed))).toBe(
        2000 - takenBack,
      )
    }
    expect(await taskOf(world, id)).toMatchObject({ takenBack: 2000 })
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

describe('a step that Redis refuses', () => {
  const errors = Object.entries(REDIS_ERRORS)
  const steps = ['task-select', 'replay', 'take-back', 'discard'] as const

  it.each(errors)('is repeated after %s, and nothing is lost or doubled', async (name, error) => {
    await refusing((nth) => (nth % 3 === 1 ? { refuse: error } : undefined), name)
  })

  it('is repeated when its answer is lost', async () => {
    await refusing((nth) => (nth % 3 === 1 ? 'lose-reply' : undefined), 'lost')
  })

  it.each(REFUSALS)('is repeated after a Redis that really says %s', async (how) => {
    const ids = await letDie(world, crowd(1500, 7))
    await pause()
    await world.consumer(receivers().deliver)
    const id = await start(world, { action: 'replay', filter: {} })
    await vi.waitFor(async () => expect((await taskOf(world, id)).done).toBeGreaterThan(0), {
      timeout: WAIT_MS,
      interval: 1,
    })
    await whileRefusing(world.url, { how, ms: 500 }, () => Promise.resolve())
    expect(await untilEnded(world, id)).toMatchObject({ total: 1500, done: 1500, skipped: 0, failed: 0 })
    await expectOneEach(ids, 7)
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
  })

  type Rule = (nth: number) => { refuse: string } | 'lose-reply' | undefined

  /** Carries out a replay, takes it back, and discards all, by a worker whose every third step meets the rule. */
  async function refusing(rule: Rule, name: string): Promise<void> {
    const ids = await letDie(world, crowd(330, 7))
    await pause()
    const nth = new Map<string, number>()
    const proxy = await startRedisProxy({ targetPort: Number(new URL(world.url).port) })
    onTestFinished(() => proxy.close())
    const client = connectRedis(proxy.url, 'work')
    client.on('error', () => undefined)
    onTestFinished(() => client.disconnect())
    await whenReady(client, WAIT_MS)
    const nameOf = scriptNamesOf(client)
    proxy.setOnCommand((command) => {
      const step = nameOf(command)?.slice('wxo:'.length) ?? ''
      if (!(steps as readonly string[]).includes(step)) return undefined
      // A client that is told NOSCRIPT sends the script itself.
      if (name === 'NOSCRIPT' && command[0] === 'eval') return undefined
      nth.set(step, (nth.get(step) ?? 0) + 1)
      return rule(nth.get(step) ?? 0)
    })
    await world.consumer(receivers().deliver, { store: await openStore(client), sharedWait: undefined })
    const id = await start(world, { action: 'replay', filter: {} })
    expect(await untilEnded(world, id)).toMatchObject({ total: 330, done: 330, skipped: 0, failed: 0 })
    await expectOneEach(ids, 7)
    // The caller does nothing of it, so the worker does all.
    await world.redis.hset(keys.task(id), 'takingBack', '1', 'status', 'cancelled')
    await world.redis.zadd(keys.tasksOpen, Date.now(), id)
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.tasksOpen)).toBe(0), {
      timeout: 3 * WAIT_MS,
      interval: 20,
    })
    expect(await taskOf(world, id)).toMatchObject({ takenBack: 330 })
    expect(await world.redis.zcard(keys.deadFailed)).toBe(330)
    expect(await cancelTask(world.store, { appid: APP, id }, false)).toMatchObject({ kind: 'ended' })
    const discard = await start(world, { action: 'discard', filter: {} })
    expect(await untilEnded(world, discard)).toMatchObject({ total: 330, done: 330, skipped: 0, failed: 0 })
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
    for (const step of steps) expect({ step, met: (nth.get(step) ?? 0) > 0 }).toEqual({ step, met: true })
  }
})
