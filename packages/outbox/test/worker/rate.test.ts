import { expect, it, vi } from 'vitest'
import { watchRate } from '../support/rated.ts'
import { delivering, sharedWorld, text } from '../support/world.ts'

const world = sharedWorld()

const PER_SECOND = 10

it('holds for messages that have piled up between fetching and sending, and none of them is left behind', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const sent: string[] = []
  const watch = watchRate(world)
  let fetched = 0
  const deliver = delivering(sent)
  await world.consumer(
    async (run) => {
      fetched += 1
      // A token that takes long, say: everything that was fetched meanwhile asks for its turn at the same moment.
      await released
      const settlement = await deliver(run)
      if (settlement.kind === 'delivered') await watch.note(run.id)
      return settlement
    },
    { maxPerSecond: PER_SECOND, concurrency: 64, stalledAfterMs: 10_000 },
  )
  await world.outbox().sendMany(Array.from({ length: 50 }, (_, at) => text(`o-${at}`)))
  await vi.waitFor(() => expect(fetched).toBeGreaterThanOrEqual(40), 15_000)
  release()
  await vi.waitFor(() => expect(sent).toHaveLength(50), 20_000)
  const { inOneSecond, lateS } = watch.end()
  // One more than the rate for the tenth.
  expect(inOneSecond).toBeLessThanOrEqual(PER_SECOND + 1 + Math.ceil(PER_SECOND * lateS))
})
