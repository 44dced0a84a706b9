// Work that waits and is not fetched ends the process. While Redis refuses, nothing can be fetched and what WeChat has answered
// waits to be recorded: an end would lose those answers and mend nothing.
import { expect, it, vi } from 'vitest'
import { whileRefusing } from '../support/refusals.ts'
import { spoil } from '../support/spoil.ts'
import { DELIVERED, delivering, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()
const STUCK_AFTER_MS = 1000
/** A watchdog tells a sixth later at most, and the look at the queues that shows what waits comes within a second. */
const LONG_MS = 4 * STUCK_AFTER_MS

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })
const isFull = () => world.redis.config('SET', 'maxmemory', '1mb')
const isFree = () => world.redis.config('SET', 'maxmemory', '0')

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

it.each([
  ['without a rate', {}],
  ['with a rate', { maxPerSecond: 1000 }],
])('says that Redis hands out nothing where that is so, %s, and goes on by itself', async (_how, rate) => {
  const sent: string[] = []
  const ids = await world.accept(['o-1', 'o-2'].map((one) => text(one)))
  await isFull()
  // Nothing else is written in its script: the fetch itself is refused.
  const worker = await world.consumer(delivering(sent), { stuckAfterMs: STUCK_AFTER_MS, ...rate })
  await until(() => expect(worker.consumer.trouble()).toMatchObject({ error: expect.stringMatching(/OOM|maxmemory/) }))
  const { sinceMs = 0 } = worker.consumer.trouble() ?? {}
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(sinceMs + LONG_MS), WAIT_MS)
  expect(worker.consumer.trouble()).toMatchObject({ sinceMs, pending: 0 })
  expect([worker.stuck, worker.troubles.length, sent]).toEqual([[], 1, []])
  await isFree()
  await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
  await until(() => expect(worker.consumer.trouble()).toBeUndefined())
  expect([worker.stuck, sent.toSorted()]).toEqual([[], ids.toSorted()])
})

it('says so of messages that only BullMQ’s own method fetches, as long as there are any, and fetches the others', async () => {
  const sent: string[] = []
  const worker = await world.consumer(delivering(sent), { stuckAfterMs: STUCK_AFTER_MS })
  await world.redis.call('ACL', 'SETUSER', 'default', '-zpopmin')
  const job = await world.send.add('text', { v: 1, ...text('o-1') }, { priority: 1 })
  await until(() =>
    expect(worker.consumer.trouble()).toMatchObject({ error: expect.stringMatching(/NOPERM|can't run/) }),
  )
  const ids = await world.accept([text('o-2')])
  await until(() => expect(sent).toEqual(ids))
  await until(() => expect(worker.consumer.trouble()).toMatchObject({ pending: 0 }))
  await job.remove()
  await until(() => expect(worker.consumer.trouble()).toBeUndefined())
  expect(worker.stuck).toEqual([])
})

it('has no trouble, and fetches the others, where only the keys of one message are spoilt', async () => {
  const [spoilt = '', ...others] = await world.accept(['o-1', 'o-2', 'o-3'].map((one) => text(one)))
  const mend = await spoil(world.redis, keys.lane('o-1'))
  const sent: string[] = []
  const worker = await world.consumer(delivering(sent))
  await until(() => expect(sent.toSorted()).toEqual(others.toSorted()))
  expect(worker.troubles).toEqual([])
  await mend()
  await until(() => expect(sent).toContain(spoilt))
})

it('has no trouble where Redis is full and nothing waits', async () => {
  await isFull()
  const hungry = await world.consumer(delivering([]), { stuckAfterMs: STUCK_AFTER_MS })
  // A wait that ends looks for messages.
  world.sharedWait?.notify(keys.sendMarker)
  await until(async () => expect(await refusedPops()).toBeGreaterThan(0))
  expect([hungry.consumer.trouble(), hungry.troubles]).toEqual([undefined, []])
  await isFree()
})

async function refusedPops(): Promise<number> {
  const stats = await world.redis.info('commandstats')
  return Number(/cmdstat_rpoplpush:.*rejected_calls=(\d+)/.exec(stats)?.[1] ?? 0)
}
