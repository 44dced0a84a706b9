import { fileURLToPath } from 'node:url'
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { startProcess } from '@wechat-outbox/sandbox'
import { describe, expect, it, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { buried, untilDead } from '../support/dead.ts'
import { APP, delivering, dies, keys, ownWorld } from '../support/world.ts'

const world = ownWorld()

describe('a dead letter that is retried', () => {
  it.each([{}, { resetAttemptsMade: true, resetAttemptsStarted: true }])(
    'is replayed as a new message (%j)',
    async (how) => {
      const [id = ''] = await buried(world, 1)
      const sent: string[] = []
      const { replayed } = await world.consumer(delivering(sent))
      const job = await untilDead(world, id)
      await job.retry('failed', how)
      const newId = `${id}-1`
      await vi.waitFor(() => expect(sent).toEqual([newId]), 5000)
      await vi.waitFor(async () => expect(await world.dead.getJob(String(job.id))).toBeUndefined(), 5000)
      expect(replayed).toEqual([{ id: newId, replayOf: job.id }])
      const outbox = world.outbox()
      expect(await outbox.status(newId)).toMatchObject({ status: 'delivered', replayOf: job.id })
      expect(await outbox.status(id)).toMatchObject({ status: 'replayed', replayedAs: newId })
      expect(await requestReplay(world.store, APP, String(job.id))).toEqual({
        kind: 'requested',
        id: newId,
        replayOf: job.id,
      })
    },
  )

  it('gives one message, however often and from wherever it is asked for', async () => {
    const [id = ''] = await buried(world, 1)
    const sent: string[] = []
    const asked = Array.from({ length: 20 }, () => requestReplay(world.store, APP, deadLetterIdOf(id)))
    expect(new Set((await Promise.all(asked)).map((answer) => JSON.stringify(answer))).size).toBe(1)
    await world.consumer(delivering(sent))
    await world.consumer(delivering(sent))
    await vi.waitFor(() => expect(sent).toEqual([`${id}-1`]), 5000)
    expect(await requestReplay(world.store, APP, 'd-nobody')).toEqual({ kind: 'unknown' })
  })

  it('is replayed by one of two workers that look at the same moment, and not again afterwards', async () => {
    const ids = await buried(world, 60)
    await world.dead.retryJobs({ state: 'failed' })
    const options = { store: world.store, appid: APP, rememberMs: 60_000, perSecond: 0 }
    const both = await Promise.all([replayRetried(options), replayRetried(options)])
    const [first = [], second = []] = both.map(({ replayed }) => replayed)
    expect([first.length, second.length]).toEqual([50, 0])
    expect((await replayRetried(options)).replayed).toHaveLength(10)
    expect(await replayRetried(options)).toEqual({ replayed: [], refused: [], againMs: undefined, ended: [] })
    expect(await world.send.getJobCounts()).toMatchObject({ waiting: 60 })
    expect(await world.redis.exists(...ids.map((id) => keys.deadJob(deadLetterIdOf(id))))).toBe(0)
  })

  it('keeps to the rate of replays over all workers', async () => {
    await buried(world, 30)
    await world.dead.retryJobs({ state: 'failed' })
    const options = { store: world.store, appid: APP, rememberMs: 60_000, perSecond: 50 }
    const [first, second] = [await replayRetried(options), await replayRetried(options)]
    // A tenth of a second's replays at once, and the next when they are due.
    expect(first.replayed.length).toBeGreaterThanOrEqual(5)
    expect(first.replayed.length + second.replayed.length).toBeLessThan(30)
    expect(first.againMs).toBeGreaterThan(0)
  })

  it('is a dead letter again when the replay fails, with its own reason in front', async () => {
    const [id = ''] = await buried(world, 1)
    await world.consumer(() => Promise.resolve(dies({ errcode: 40003, name: 'invalid-openid', errmsg: '' })))
    await (await untilDead(world, id)).retry()
    const again = await untilDead(world, `${id}-1`)
    expect(again.failedReason).toBe('40003 invalid-openid')
    expect(again.data.message).toMatchObject({
      replayOf: deadLetterIdOf(id),
      earlierReasons: ['45015 reply-window-closed'],
    })
    await again.retry()
    const third = await untilDead(world, `${id}-2`)
    expect(third.data.message).toMatchObject({ earlierReasons: ['40003 invalid-openid', '45015 reply-window-closed'] })
  })

  it('stays a dead letter, with its reason, when nothing to send stands in it', async () => {
    await world.send.add('text', { nonsense: true }, { jobId: 'm-nonsense' })
    const { consumer } = await world.consumer(() =>
      Promise.resolve(dies({ errcode: null, name: 'invalid-message', errmsg: 'v' })),
    )
    const job = await untilDead(world, 'm-nonsense')
    await job.retry()
    await vi.waitFor(async () => expect(await job.getState()).toBe('failed'), 5000)
    expect((await untilDead(world, 'm-nonsense')).failedReason).toBe('invalid-message: v')
    await consumer.close(1000)
  })

  it('goes only when the new message is stored: retry-all over kill -9 loses and doubles nothing', async () => {
    const ids = await buried(world, 400)
    await world.dead.retryJobs({ state: 'failed', count: 100 })
    const script = fileURLToPath(new URL('../support/consumer-process.ts', import.meta.url))
    let kills = 0
    while ((await world.redis.zcard(keys.deadByTime)) > 0 && kills < 60) {
      const child = startProcess({ args: [script, world.url, 'deliver'] })
      await child.waitForLine(/running/)
      // At a different moment each time, counted in replays and not in time.
      const before = await world.redis.zcard(keys.deadByTime)
      const goal = Math.max(0, before - 3 - ((kills * 7) % 23))
      await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadByTime)).toBeLessThanOrEqual(goal), {
        timeout: 20_000,
        interval: 1,
      })
      await child.kill9()
      kills += 1
    }
    expect(kills).toBeGreaterThan(5)
    const sent: string[] = []
    await world.consumer(delivering(sent))
    const outbox = world.outbox()
    for (const id of ids) {
      await vi.waitFor(async () => expect((await outbox.status(`${id}-1`))?.status).toBe('delivered'), {
        timeout: 20_000,
        interval: 100,
      })
      expect(await outbox.status(`${id}-2`)).toBeNull()
    }
    await vi.waitFor(
      async () => expect(await world.dead.getJobCounts()).toMatchObject({ failed: 0, waiting: 0, active: 0 }),
      20_000,
    )
  }, 180_000)

  it('survives "Retry all" on 2,000', async () => {
    const ids = await buried(world, 2000)
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await world.dead.retryJobs({ state: 'failed' })
    await vi.waitFor(() => expect(sent.length).toBe(2000), { timeout: 60_000, interval: 100 })
    expect(new Set(sent)).toEqual(new Set(ids.map((id) => `${id}-1`)))
    await vi.waitFor(
      async () => expect(await world.dead.getJobCounts()).toMatchObject({ failed: 0, waiting: 0, active: 0 }),
      20_000,
    )
  }, 120_000)
})
