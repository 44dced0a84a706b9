/** What the way through Redis adds when there is nothing else to do: from the call of `send` to the request at the far side. */
import { type Measurement, pick } from '../measurement.ts'
import { atMost, compared } from '../row.ts'
import { SIDES, startWorker, WAITING, whenWaiting } from '../sides.ts'
import { inTurns, percentile } from '../stats.ts'
import { flush } from '../turn.ts'
import { resultOf } from '../world.ts'

const NAME = 'delay'
/** The first messages of a process find nothing compiled. */
const WARM_UP = 50

export const delay: Measurement = {
  name: NAME,
  rows: [`${NAME}-p50`, `${NAME}-p99`],
  async run(world, size) {
    const count = pick(size, 400, 20)
    const skipped = pick(size, WARM_UP, 5)
    const far = await world.far()
    const redis = { outbox: await world.redis(), plain: await world.redis() }
    const delays = await inTurns(size.turns, SIDES, async (side) => {
      await flush(redis[side])
      await far.plan({ marksAt: [count + skipped], keepArrivals: true })
      const worker = startWorker(world, side, { redis: redis[side], far })
      await whenWaiting(redis[side], WAITING[side])
      const role = world.role('pace', { side, url: redis[side].url, count: count + skipped })
      const sentAt = await resultOf<number[]>(role)
      await far.done()
      const arrivedAt = await far.arrivals()
      await worker.stop()
      const took = sentAt.map((at, index) => (arrivedAt[index] ?? Number.NaN) - at).slice(skipped)
      const sorted = took.toSorted((a, b) => a - b)
      const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)]
      size.progress(`${NAME} ${side} ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`)
      return { p50, p99 }
    })
    const row = (at: 'p50' | 'p99') =>
      compared(
        {
          name: `${NAME}-${at}`,
          what: `Delay added to a message, ${at}`,
          unit: 'ms',
          ...(at === 'p50' ? { target: atMost(1.1) } : {}),
        },
        delays.outbox.map((each) => each[at]),
        delays.plain.map((each) => each[at]),
      )
    return [row('p50'), row('p99')]
  },
}
