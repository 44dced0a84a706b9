/**
 * How fast all dead letters come back when somebody presses *Retry all*. The queue `send` is paused meanwhile, so that a replay is an
 * enqueue and nothing more.
 */
import { appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { type Measurement, pick } from '../measurement.ts'
import { atLeast, compared } from '../row.ts'
import { APP, fill, startWorker } from '../sides.ts'
import { flush } from '../turn.ts'
import { until } from '../until.ts'
import { resultOf } from '../world.ts'

const NAME = 'replay'

export const replay: Measurement = {
  name: NAME,
  rows: [NAME],
  async run(world, size) {
    const count = pick(size, 100_000, 300)
    const turns = pick(size, 3, 1)
    const far = await world.far()
    const redis = await world.redis()
    const figures = { replays: [] as number[], enqueues: [] as number[] }
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
      await until('dead letters', async () => (await dead.getFailedCount()) >= count)
      await send.pause()
      const asked = dead.retryJobs({ state: 'failed', count })
      const started = performance.now()
      await until('replays', async () => (await send.getWaitingCount()) >= count)
      figures.replays.push((count / (performance.now() - started)) * 1000)
      await asked
      await worker.stop()
      await Promise.all([send.close(), dead.close()])
      size.progress(`${NAME} ${figures.replays.at(-1)?.toFixed(0)}/s`)
    }
    const what = `Replay of ${count.toLocaleString('en')} dead letters without a throttle, beside \`send\` with 256 in flight`
    return [compared({ name: NAME, what, unit: 'messages/s', target: atLeast(0.5) }, figures.replays, figures.enqueues)]
  },
}
