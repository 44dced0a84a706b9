/** One person with ten thousand messages waiting and a slow phone, and everybody else: do they notice? */
import { type Measurement, pick } from '../measurement.ts'
import { openid } from '../messages.ts'
import { stretchOf } from '../meter.ts'
import { atLeast, compared } from '../row.ts'
import { fill, startWorker } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush, marksOf } from '../turn.ts'

const NAME = 'hot-recipient'
const HOT = openid(999_999_999)
/** What a call for the one takes; everybody else is answered at once. */
const HOT_LATENCY_MS = 100
/** Beyond the numbers of the others. */
const HOT_FROM = 10_000_000

export const hotRecipient: Measurement = {
  name: NAME,
  rows: [NAME],
  async run(world, size) {
    const count = pick(size, 10_000, 500)
    const hot = pick(size, 10_000, 200)
    const far = await world.far()
    const redis = await world.redis()
    const rates = await inTurns(size.turns, ['disturbed', 'undisturbed'], async (side) => {
      await flush(redis)
      const plan = { marksAt: marksOf(count), apart: { touser: HOT, latencyMs: HOT_LATENCY_MS } }
      await far.plan(plan)
      // The one is there first, so the worker meets all of these before anybody else's.
      if (side === 'disturbed') {
        await fill('outbox', { url: redis.url, shape: { kind: 'one', touser: HOT }, from: HOT_FROM, count: hot })
      }
      await fill('outbox', { url: redis.url, shape: { kind: 'distinct' }, count })
      const worker = startWorker(world, 'outbox', { redis, far })
      const { marks } = await far.done()
      await worker.stop()
      const { perSecond } = stretchOf(marks, 0, 1)
      size.progress(`${NAME} ${side} ${Math.round(perSecond)}/s`)
      return perSecond
    })
    const what = `Sends to everybody else while one person has ${hot.toLocaleString('en')} waiting, beside undisturbed`
    const row = { name: NAME, what, unit: 'messages/s', target: atLeast(0.9) }
    return [compared(row, rates['disturbed'], rates['undisturbed'])]
  },
}
