// Work that waits and is not fetched ends the process. While Redis refuses, nothing can be fetched and what WeChat has answered
// waits to be recorded: an end would lose those answers and mend nothing.
import { expect, it, vi } from 'vitest'
import { whileRefusing } from '../support/refusals.ts'
import { DELIVERED, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()
const STUCK_AFTER_MS = 1000
/** A watchdog tells a sixth later at most, and the look at the queues that shows what waits comes within a second. */
const LONG_MS = 4 * STUCK_AFTER_MS

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })

it('does not lose the answers that Redis refuses to record, while others wait', async () => {
  const ids = await world.accept(['o-1', 'o-2', 'o-3', 'o-4'].map((one) => text(one)))
  const sent: string[] = []
  const gate = Promise.withResolvers<void>()
  const worker = await world.consumer(
    async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      sent.push(run.id)
      await gate.promise
      return DELIVERED
    },
    { concurrency: 2, stuckAfterMs: STUCK_AFTER_MS },
  )
  await until(() => expect(sent).toHaveLength(2))
  await whileRefusing(world.url, { how: 'NOREPLICAS', ms: LONG_MS }, async () => {
    gate.resolve()
    await until(() => expect(worker.consumer.trouble()).toMatchObject({ pending: 2 }))
  })
  await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
  expect([worker.stuck, sent.toSorted(), worker.consumer.trouble()]).toEqual([[], ids.toSorted(), undefined])
})
