import type { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createWatchdog } from '../src/watchdog.ts'
import { createWorld, keys, text, type World } from './support/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const waiting = async (queue: Queue): Promise<boolean> => (await queue.getWaitingCount()) > 0

it('tells once that work waits and none is fetched', async () => {
  await world.outbox().send(text('o-waits'))
  const onStuck = vi.fn()
  const watchdog = createWatchdog({ idleMs: 120, hasWork: () => waiting(world.send), onStuck })
  await vi.waitFor(() => expect(onStuck).toHaveBeenCalledTimes(1), 5000)
  watchdog.stop()
})

it('is content while something is in flight, while nothing waits, and while Redis does not answer', async () => {
  const looks = { busy: 0, idle: 0, away: 0 }
  const onStuck = vi.fn()
  const watch = (name: keyof typeof looks, hasWork: () => Promise<boolean>) =>
    createWatchdog({
      idleMs: 60,
      onStuck,
      hasWork: () => {
        looks[name] += 1
        return hasWork()
      },
    })
  const busy = watch('busy', () => waiting(world.send))
  busy.fetched()
  const idle = watch('idle', async () => (await world.redis.exists(`${keys.prefix}:nothing`)) === 1)
  const away = watch('away', () => Promise.reject(new Error('away')))
  await vi.waitFor(() => expect(Math.min(looks.busy, looks.idle, looks.away)).toBeGreaterThan(20), 10_000)
  for (const watchdog of [busy, idle, away]) watchdog.stop()
  expect(onStuck).not.toHaveBeenCalled()
})
