/**
 * Dead letters: how fast messages die, and how fast all of them come back when somebody presses *Retry all*. The queue
 * `send` is paused meanwhile, so that a replay is an enqueue and nothing more.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '@wechat-outbox/outbox'
import { Queue } from 'bullmq'
import { type Measurement, pick } from '../measurement.ts'
import { alone, atLeast, compared } from '../row.ts'
import { APP, fill, startWorker } from '../sides.ts'
import { flush } from '../turn.ts'
import { resultOf } from '../world.ts'

const NAME = 'replay'
const LOOK_EVERY_MS = 50
/** Nothing here takes longer; more is a standstill. */
const WAIT_MS_MAX = 900_000

export const replay: Measurement = {
  name: NAME,
  rows: [NAME, 'dying'],
  async run(world, size) {
    const count = pick(size, 100_000, 300)
    const turns = pick(size, 3, 1)
    const far = await world.far()
    const redis = await world.redis()
    const figures = { replays: [] as number[], enqueues: [] as number[], deaths: [] as number[] }
    for (let turn = 0; turn < turns; turn += 1) {
      await flush(redis)
      const options = { side: 'outbox', url: redis.url, how: 'concurrent', warmUp: Math.ceil(count / 10), count }
      figures.enqueues.push((await resultOf<{ perSecond: number }>(world.role('enqueue', options))).perSecond)
      await flush(redis)
      const open = (name: string): Queue =>
        new Queue(name, { prefix: appPrefix(APP), connection: { url: redis.url }, skipMetasUpdate: true })
      const [send, dead] = [open(SEND_QUEUE), open(DEAD_LETTER_QUEUE)]
      await far.plan({ marksAt: [count], errcode: 40003 })
      await fill('outbox', { url: redis.url, shape: { kind: 'distinct' }, count })
      const worker = startWorker(world, 'outbox', {
        redis,
        far,
        env: { REPLAY_MAX_PER_SECOND: '0', LOG_LEVEL: 'error' },
      })
      await far.until(({ calls }) => calls > 0)
      figures.deaths.push(await rateUntil(count, async () => dead.getFailedCount()))
      await send.pause()
      const asked = dead.retryJobs({ state: 'failed', count })
      figures.replays.push(await rateUntil(count, async () => send.getWaitingCount()))
      await asked
      await worker.stop()
      await Promise.all([send.close(), dead.close()])
      size.progress(
        `${NAME} ${figures.deaths.at(-1)?.toFixed(0)}/s die, ${figures.replays.at(-1)?.toFixed(0)}/s return`,
      )
    }
    const what = `Replay of ${count.toLocaleString('en')} dead letters without a throttle, beside \`send\` with 256 in flight`
    return [
      compared({ name: NAME, what, unit: 'messages/s', target: atLeast(0.3) }, figures.replays, figures.enqueues),
      alone(
        { name: 'dying', what: 'Messages refused with 40003 that become dead letters', unit: 'messages/s' },
        figures.deaths,
      ),
    ]
  },
}

/** Per second, from now until the count is reached. */
async function rateUntil(count: number, look: () => Promise<number>): Promise<number> {
  const started = performance.now()
  while ((await look()) < count) {
    if (performance.now() - started > WAIT_MS_MAX) throw new Error('dead letters stand still')
    await sleep(LOOK_EVERY_MS)
  }
  return (count / (performance.now() - started)) * 1000
}
