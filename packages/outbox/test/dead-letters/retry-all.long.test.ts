import { expect, it, vi } from 'vitest'
import { buried } from '../support/dead.ts'
import { delivering, sharedWorld } from '../support/world.ts'

const world = sharedWorld()

it('replays each of 10,000 dead letters once when all are retried', async () => {
  const ids = await buried(world, 10_000)
  const sent: string[] = []
  await world.consumer(delivering(sent))
  await world.consumer(delivering(sent))
  await world.dead.retryJobs({ state: 'failed' })
  const settled = { timeout: 300_000, interval: 500 }
  await vi.waitFor(() => expect(sent.length).toBeGreaterThanOrEqual(ids.length), settled)
  expect(sent.toSorted()).toEqual(ids.map((id) => `${id}-1`).toSorted())
  const empty = { failed: 0, waiting: 0, active: 0, delayed: 0 }
  await vi.waitFor(async () => expect(await world.dead.getJobCounts()).toMatchObject(empty), settled)
  await vi.waitFor(async () => expect(await world.redis.keys('*:lane:*')).toEqual([]), settled)
})
