/** Messages stored per second, for the three ways in which a producer can wait for them. */
import { type Measurement, pick, type Size } from '../measurement.ts'
import type { EnqueueOptions } from '../roles/enqueue.ts'
import { atLeast, compared } from '../row.ts'
import { SIDES } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush } from '../turn.ts'
import { resultOf, type World } from '../world.ts'

interface Way {
  readonly how: EnqueueOptions['how']
  readonly what: string
  readonly count: number
  readonly quick: number
  readonly target: number
}

const WAYS: readonly Way[] = [
  {
    how: 'concurrent',
    what: 'Enqueue, 256 `send`s in flight beside 256 `queue.add`',
    count: 40_000,
    quick: 500,
    target: 1,
  },
  { how: 'bulk', what: 'Enqueue, `sendMany(1000)` beside `addBulk(1000)`', count: 40_000, quick: 1000, target: 0.7 },
  { how: 'awaited', what: 'Enqueue, one after the other', count: 5000, quick: 100, target: 0.9 },
]

async function measure(world: World, size: Size, way: Way) {
  const redis = { outbox: await world.redis(), plain: await world.redis() }
  const count = pick(size, way.count, way.quick)
  return inTurns(size.turns, SIDES, async (side) => {
    await flush(redis[side])
    const options: EnqueueOptions = { side, url: redis[side].url, how: way.how, warmUp: Math.ceil(count / 4), count }
    const role = world.role('enqueue', options)
    const { perSecond } = await resultOf<{ perSecond: number }>(role)
    await role.exited
    size.progress(`enqueue-${way.how} ${side} ${Math.round(perSecond)}/s`)
    return perSecond
  })
}

export const enqueue: readonly Measurement[] = WAYS.map((way) => ({
  name: `enqueue-${way.how}`,
  rows: [`enqueue-${way.how}`],
  async run(world, size) {
    const { outbox, plain } = await measure(world, size, way)
    const row = { name: `enqueue-${way.how}`, what: way.what, unit: 'messages/s', target: atLeast(way.target) }
    return [compared(row, outbox, plain)]
  },
}))
