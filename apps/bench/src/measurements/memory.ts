/** What a waiting message takes in Redis, and what a worker takes after a million of them. */
import { connectRedis } from '@wechat-outbox/outbox/engine'
import type { LocalRedis } from '@wechat-outbox/sandbox'
import { type Measurement, pick } from '../measurement.ts'
import { atMost, compared } from '../row.ts'
import { fill, type Side, startWorker } from '../sides.ts'
import { flush } from '../turn.ts'

const shape = { kind: 'distinct' } as const

async function usedBytes(redis: LocalRedis): Promise<number> {
  const client = connectRedis(redis.url, 'operate')
  try {
    return Number(/used_memory_dataset:(\d+)/.exec(await client.info('memory'))?.[1])
  } finally {
    client.disconnect()
  }
}

/** Not a matter of chance, so it is measured once. */
export const redisBytes: Measurement = {
  name: 'redis-bytes',
  rows: ['redis-bytes'],
  async run(world, size) {
    const count = pick(size, 100_000, 2000)
    const bytesOf = async (side: Side): Promise<number> => {
      const redis = await world.redis()
      const before = await usedBytes(redis)
      await fill(side, { url: redis.url, shape, count })
      return ((await usedBytes(redis)) - before) / count
    }
    const [ours, theirs] = [await bytesOf('outbox'), await bytesOf('plain')]
    const what = `Memory of Redis per waiting message, ${count.toLocaleString('en')} of them waiting`
    return [compared({ name: 'redis-bytes', what, unit: 'bytes', target: atMost(1.3) }, [ours], [theirs])]
  },
}

/**
 * One worker that is never restarted. Its memory goes up and down with the collector, so each value is the median of ten
 * looks. Both sides run, one after the other: Node itself takes more after a while.
 */
export const workerMemory: Measurement = {
  name: 'worker-memory',
  rows: ['worker-memory', 'worker-memory/baseline'],
  async run(world, size) {
    const [early, late] = [pick(size, 10_000, 500), pick(size, 1_000_000, 1500)]
    const far = await world.far()
    const LOOKS = 10
    const step = early / 10
    const looks = (from: number): number[] =>
      Array.from({ length: LOOKS }, (_, look) => from + (look + 1 - LOOKS / 2) * step)
    const memoryOf = async (side: Side): Promise<{ early: number; late: number }> => {
      const redis = await world.redis()
      await flush(redis)
      await fill(side, { url: redis.url, shape, count: late + LOOKS * step })
      await far.plan({ marksAt: [...looks(early), ...looks(late)] })
      const worker = startWorker(world, side, { redis, far })
      await far.watch([worker.pid])
      const { marks } = await far.done()
      await worker.stop()
      await redis.stop()
      const megabytes = marks.map(({ usage }) => (usage[worker.pid]?.rssBytes ?? Number.NaN) / 1e6)
      const middle = (values: number[]): number => values.toSorted((a, b) => a - b)[LOOKS / 2] ?? Number.NaN
      const result = { early: middle(megabytes.slice(0, LOOKS)), late: middle(megabytes.slice(LOOKS)) }
      size.progress(`worker-memory ${side} ${result.early.toFixed(0)} → ${result.late.toFixed(0)} MB`)
      return result
    }
    const measured = { outbox: await memoryOf('outbox'), plain: await memoryOf('plain') }
    const row = (name: string, side: Side) => {
      const what = `Memory of the ${side === 'outbox' ? 'worker' : 'baseline’s worker'} after ${late.toLocaleString('en')} messages beside ${early.toLocaleString('en')}`
      const target = side === 'outbox' ? { target: atMost(1.2) } : {}
      return compared({ name, what, unit: 'MB', ...target }, [measured[side].late], [measured[side].early])
    }
    return [row('worker-memory', 'outbox'), row('worker-memory/baseline', 'plain')]
  },
}
