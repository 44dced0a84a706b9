import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect, it, vi } from 'vitest'
import { delivering, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld()

const PER_SECOND = 10

it('holds for messages that have piled up between fetching and sending, and none of them is left behind', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const sent: string[] = []
  const marked: number[] = []
  let fetched = 0
  const deliver = delivering(sent)
  await world.consumer(
    async (run) => {
      fetched += 1
      // A token that takes long, say: everything that was fetched meanwhile asks for its turn at the same moment.
      await released
      const settlement = await deliver(run)
      // The time of admission by Redis's clock, and so free of whatever this process was busy with.
      if (settlement.kind === 'delivered') marked.push(Number((await markOf(run.id)).split(' ')[0]))
      return settlement
    },
    { maxPerSecond: PER_SECOND, concurrency: 64, stalledAfterMs: 10_000 },
  )
  await world.outbox().sendMany(Array.from({ length: 50 }, (_, at) => text(`o-${at}`)))
  await vi.waitFor(() => expect(fetched).toBeGreaterThanOrEqual(40), 15_000)
  const lateness = monitorEventLoopDelay({ resolution: 1 })
  lateness.enable()
  release()
  await vi.waitFor(() => expect(sent).toHaveLength(50), 20_000)
  lateness.disable()
  const within = marked.map((start) => marked.filter((at) => at >= start && at < start + 1000).length)
  // One more than the rate for the tenth, and those that waited for a timer of this process that was late.
  const lateCalls = Math.ceil(PER_SECOND * (lateness.max / 1e9))
  expect(Math.max(...within)).toBeLessThanOrEqual(PER_SECOND + 1 + lateCalls)
})

async function markOf(id: string): Promise<string> {
  return (await world.redis.hget(`{wxo:wx0123456789abcdef}:send:${id}`, 'sending')) ?? ''
}
