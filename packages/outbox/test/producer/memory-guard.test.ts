import { expect, it, vi } from 'vitest'
import { createMemoryGuard } from '../../src/producer/memory-guard.ts'
import { delivering, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld()

/** A limit that what Redis uses now is near to: it moves with its buffers, so that this is repeated. */
async function fill(): Promise<void> {
  const used = Number(/used_memory:(\d+)/.exec(await world.redis.info('memory'))?.[1])
  await world.redis.config('SET', 'maxmemory', String(Math.floor(used * 1.05)))
}

it('refuses new messages near the memory limit, while what was accepted is delivered, and takes them again', async () => {
  const outbox = world.outbox()
  const accepted = await outbox.send(text('o-before'))
  // A ballast, so that the last tenth has room for a worker and its connections.
  await world.redis.setrange('ballast', 60_000_000, 'x')
  await vi.waitFor(async () => {
    await fill()
    await expect(outbox.send(text('o-full'))).rejects.toMatchObject({ code: 'WXO_FULL' })
  }, 10_000)
  const sent: string[] = []
  await world.consumer(delivering(sent))
  await vi.waitFor(() => expect(sent).toContain(accepted.id), 5000)
  await world.redis.config('SET', 'maxmemory', '0')
  await vi.waitFor(() => expect(outbox.send(text('o-room'))).resolves.toMatchObject({ status: 'queued' }), 5000)
})

it('does not say for long that Redis is full when Redis is away', async () => {
  let isAway = false
  const guard = createMemoryGuard(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(world.store)))
  await vi.waitFor(async () => {
    await fill()
    expect(guard.isFull()).toBe(true)
  }, 10_000)
  isAway = true
  await world.redis.config('SET', 'maxmemory', '0')
  await vi.waitFor(() => expect(guard.isFull()).toBe(false), 10_000)
})
