/** How long a dead worker's messages wait: from its kill -9, with calls open, until another worker has delivered them all. */
import type { Measurement } from '../measurement.ts'
import { monotonicMs } from '../proc.ts'
import { alone, atMost } from '../row.ts'
import { fill, startWorker, WAITING, whenWaiting } from '../sides.ts'
import { flush } from '../turn.ts'

const NAME = 'takeover'
const OPEN_CALLS = 100

const STALLED_AFTER_MS = 10_000
const SEND_TIMEOUT_MS = 5000
/** On a machine that is so busy that calls time out before the second worker is up, the turn is taken again. */
const TRIES_MAX = 5

export const takeover: Measurement = {
  name: NAME,
  rows: [NAME],
  async run(world, size) {
    const env = { STALLED_AFTER_MS: String(STALLED_AFTER_MS), SEND_TIMEOUT_MS: String(SEND_TIMEOUT_MS) }
    const far = await world.far()
    const redis = await world.redis()
    const turn = async (): Promise<number | undefined> => {
      await flush(redis)
      await far.plan({ marksAt: [OPEN_CALLS], hangFirst: OPEN_CALLS })
      await fill('outbox', { url: redis.url, shape: { kind: 'distinct' }, count: OPEN_CALLS })
      const first = startWorker(world, 'outbox', { redis, far, env })
      await far.until(({ calls }) => calls >= OPEN_CALLS)
      // The first has as many calls open as it may and waits for none, but for dead letters it does.
      const second = startWorker(world, 'outbox', { redis, far, env })
      await whenWaiting(redis, 1 + WAITING.outbox)
      const { calls } = await far.state()
      const killedAtMs = monotonicMs()
      await first.kill9()
      const { marks } = await far.done()
      await second.stop()
      return calls === OPEN_CALLS ? ((marks[0]?.atMs ?? Number.NaN) - killedAtMs) / 1000 : undefined
    }
    const waits: number[] = []
    for (let tries = 0; waits.length < Math.min(size.turns, 3); tries += 1) {
      if (tries === size.turns * TRIES_MAX) throw new Error('the machine is too busy for a call to stay open')
      const seconds = await turn()
      size.progress(`${NAME} ${seconds?.toFixed(1) ?? 'once more'}`)
      if (seconds !== undefined) waits.push(seconds)
    }
    const what = `From kill -9 of a worker with ${OPEN_CALLS} calls open until all are delivered (STALLED_AFTER_MS ${STALLED_AFTER_MS})`
    return [alone({ name: NAME, what, unit: 's', target: atMost(STALLED_AFTER_MS / 1000 + 3) }, waits)]
  },
}
