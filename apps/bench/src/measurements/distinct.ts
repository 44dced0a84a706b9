/**
 * One worker process and a message for everybody: what the outbox costs over the baseline, in time and in CPU, and how near
 * it comes to the limit that BullMQ and undici set any worker of theirs.
 */
import { type Measurement, pick } from '../measurement.ts'
import { alone, atLeast, atMost, beside, compared } from '../row.ts'
import { fill } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { flush, marksOf, type Sent, takeTurn } from '../turn.ts'
import { resultOf } from '../world.ts'

/** Long enough for the compiler to have done most of its work in the first fifth. */
const COUNT = 50_000
const NAME = 'sends'
const SIDES = ['outbox', 'plain', 'bullmq', 'undici'] as const
const shape = { kind: 'distinct' } as const

type Cost = Pick<Sent, 'perSecond' | 'workerUs' | 'redisUs' | 'farUs' | 'commands'>

export const sendsDistinct: Measurement = {
  name: NAME,
  rows: [NAME, 'cpu-worker', 'cpu-redis', 'commands', 'share-of-limit', 'far-side'],
  async run(world, size) {
    const count = pick(size, COUNT, 500)
    const far = await world.far()
    const redis = { outbox: await world.redis(), plain: await world.redis() }
    const floor = async (half: 'bullmq' | 'undici'): Promise<Cost> => {
      await flush(redis.plain)
      if (half === 'bullmq') await fill('plain', { url: redis.plain.url, shape, count })
      else await far.plan({ marksAt: [] })
      const options = { half, url: redis.plain.url, redisPid: redis.plain.pid, far: far.url, marksAt: marksOf(count) }
      const role = world.role('floor', options)
      const { perSecond, cpuUs, redisUs } = await resultOf<{ perSecond: number; cpuUs: number; redisUs: number }>(role)
      await role.exited
      return { perSecond, workerUs: cpuUs, redisUs, farUs: Number.NaN, commands: Number.NaN }
    }
    const costs = await inTurns(size.turns, SIDES, async (side): Promise<Cost> => {
      const cost =
        side === 'outbox' || side === 'plain'
          ? await takeTurn(world, { side, redis: redis[side], far, shape, count })
          : await floor(side)
      const us = [cost.workerUs, cost.redisUs].map(Math.round).join(' and ')
      size.progress(`${NAME} ${side} ${Math.round(cost.perSecond)}/s, ${us} µs`)
      return cost
    })
    return rowsOf(costs)
  },
}

function rowsOf(costs: Record<(typeof SIDES)[number], Cost[]>) {
  const each = (side: keyof typeof costs, figure: keyof Cost): number[] => costs[side].map((cost) => cost[figure])
  const [noop, undici] = [each('bullmq', 'workerUs'), each('undici', 'workerUs')]
  const limitUs = noop.map((us, turn) => us + (undici[turn] ?? Number.NaN))
  const perSecond = (us: number): number => 1_000_000 / us
  const what = 'Sends, a message to everybody'
  const cpu = 'CPU per message'
  return [
    compared(
      { name: NAME, what, unit: 'messages/s', target: atLeast(1.05) },
      each('outbox', 'perSecond'),
      each('plain', 'perSecond'),
    ),
    compared(
      { name: 'cpu-worker', what: `… ${cpu} in the worker`, unit: 'µs', target: atMost(1) },
      each('outbox', 'workerUs'),
      each('plain', 'workerUs'),
    ),
    compared(
      { name: 'cpu-redis', what: `… ${cpu} in Redis`, unit: 'µs', target: atMost(0.8) },
      each('outbox', 'redisUs'),
      each('plain', 'redisUs'),
    ),
    beside(
      {
        name: 'commands',
        what: '… commands in Redis per message, those inside scripts included',
        unit: 'commands',
        target: atMost(18),
      },
      each('outbox', 'commands'),
      each('plain', 'commands'),
    ),
    compared(
      {
        name: 'share-of-limit',
        what: '… as a rate, beside the limit: BullMQ with an empty processor + undici alone',
        unit: 'messages/s of CPU',
        target: atLeast(0.85),
      },
      each('outbox', 'workerUs').map(perSecond),
      limitUs.map(perSecond),
    ),
    alone(
      { name: 'far-side', what: '… CPU of the far side, which is not what is measured', unit: 'µs' },
      each('outbox', 'farUs'),
    ),
  ]
}
