/**
 * How fast messages become dead letters, beside how fast they are delivered. An account that lost a right refuses everything at once,
 * and a worker that is slow at that lets the queue grow meanwhile. Both are measured from the first call to the last settlement.
 */
import { appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { type Measurement, pick } from '../measurement.ts'
import { monotonicMs } from '../proc.ts'
import { atLeast, compared } from '../row.ts'
import { APP, fill, startWorker } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush } from '../turn.ts'
import { until } from '../until.ts'

const NAME = 'dead-letters'
/** No such person: it can only be this message's fault, and no try would help. */
const REFUSED = 40003
const shape = { kind: 'distinct' } as const

export const deadLetters: Measurement = {
  name: NAME,
  rows: [NAME],
  async run(world, size) {
    const count = pick(size, 20_000, 300)
    const far = await world.far()
    const redis = await world.redis()
    const open = (name: string): Queue =>
      new Queue(name, { prefix: appPrefix(APP), connection: { url: redis.url }, skipMetasUpdate: true })
    const [send, dead] = [open(SEND_QUEUE), open(DEAD_LETTER_QUEUE)]
    const isSettled = async (end: 'dead' | 'delivered'): Promise<boolean> => {
      if (end === 'dead') return (await dead.getFailedCount()) >= count
      const left = await send.getJobCounts('wait', 'active', 'delayed', 'prioritized')
      return Object.values(left).every((number) => number === 0)
    }
    const rates = await inTurns(size.turns, ['dead', 'delivered'], async (end) => {
      await flush(redis)
      await far.plan({ marksAt: [1, count], ...(end === 'dead' ? { errcode: REFUSED } : {}) })
      await fill('outbox', { url: redis.url, shape, count })
      // A refusal is logged as a warning. What a line costs is measured elsewhere.
      const worker = startWorker(world, 'outbox', { redis, far, env: { LOG_LEVEL: 'error' } })
      const { marks } = await far.done()
      await until(`messages that should be ${end}`, () => isSettled(end))
      const perSecond = (count / (monotonicMs() - (marks[0]?.atMs ?? Number.NaN))) * 1000
      await worker.stop()
      size.progress(`${NAME} ${end} ${Math.round(perSecond)}/s`)
      return perSecond
    })
    await Promise.all([send.close(), dead.close()])
    const what = `Messages refused with ${REFUSED} that become dead letters, beside delivered ones`
    const row = { name: NAME, what, unit: 'messages/s', target: atLeast(0.7) }
    return [compared(row, rates['dead'], rates['delivered'])]
  },
}
