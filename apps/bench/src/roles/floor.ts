/**
 * The floor under a worker, each half alone: BullMQ with an empty processor, and undici in a loop. No worker on BullMQ and
 * undici can cost less than the two together.
 */
import { Worker } from 'bullmq'
import { Pool } from 'undici'
import { messageAt } from '../messages.ts'
import { createMeter, stretchOf } from '../meter.ts'
import { CONCURRENCY, PLAIN_QUEUE, plainConnection } from '../plain.ts'

interface FloorOptions {
  readonly half: 'bullmq' | 'undici'
  readonly url: string
  readonly redisPid: number
  readonly far: string
  readonly marksAt: readonly number[]
}

const options = JSON.parse(process.argv[2] ?? '{}') as FloorOptions
const meter = createMeter(options.marksAt, [process.pid, options.redisPid])
const total = options.marksAt.at(-1) ?? 0

async function runBullmq(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const processor = async (): Promise<void> => {
    meter.tick()
    if (meter.count() === total) resolve()
  }
  const connection = plainConnection(options.url)
  const worker = new Worker(PLAIN_QUEUE, processor, { connection, concurrency: CONCURRENCY })
  worker.on('error', () => undefined)
  await promise
  await worker.close()
}

async function runUndici(): Promise<void> {
  const pool = new Pool(options.far, { connections: CONCURRENCY })
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < total) {
      next += 1
      const { body } = await pool.request({
        method: 'POST',
        path: '/cgi-bin/message/custom/send?access_token=a-token-of-the-bench',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(messageAt({ kind: 'distinct' }, next)),
      })
      await body.json()
      meter.tick()
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, loop))
  await pool.close()
}

await (options.half === 'bullmq' ? runBullmq() : runUndici())
const { perSecond, cpuUs } = stretchOf(meter.marks)
const result = { perSecond, cpuUs: cpuUs(process.pid), redisUs: cpuUs(options.redisPid) }
process.stdout.write(`result ${JSON.stringify(result)}\n`)
process.exit(0)
