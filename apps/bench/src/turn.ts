/** One side once: an empty Redis is filled, workers are started, and the far side counts until everything has arrived. */
import { connectRedis } from '@wechat-outbox/outbox/engine'
import type { LocalRedis } from '@wechat-outbox/sandbox'
import { countCommands, resetCommands } from './command-count.ts'
import type { Far } from './far-side/client.ts'
import type { FarPlan, FarState } from './far-side/plan.ts'
import type { Shape } from './messages.ts'
import { stretchOf } from './meter.ts'
import { fill, type Side, startWorker } from './sides.ts'
import type { World } from './world.ts'

export interface Turn {
  readonly side: Side
  readonly redis: LocalRedis
  readonly far: Far
  readonly shape: Shape
  readonly count: number
  readonly workers?: number
  readonly env?: Readonly<Record<string, string>>
  readonly plan?: Omit<FarPlan, 'marksAt'>
  /** Everybody has an open reply window, and messages may wait for it. */
  readonly hasWindows?: boolean
}

export interface Sent {
  readonly perSecond: number
  /** CPU time per message, in µs: of all workers together, and of Redis. */
  readonly workerUs: number
  readonly redisUs: number
  readonly farUs: number
  /** Commands that Redis ran per message, from the start of the workers to their end: those inside scripts included. */
  readonly commands: number
  readonly state: FarState
}

/**
 * Between a fifth and nineteen twentieths of the messages: the beginning belongs to the compiler, and the end to the few
 * whose backoff is longest.
 */
const MARKS = [0.2, 0.95, 1] as const

export const marksOf = (count: number): number[] => MARKS.map((share) => Math.ceil(count * share))

export async function takeTurn(world: World, turn: Turn): Promise<Sent> {
  const { side, redis, far, shape, count, workers = 1, env = {}, plan = {}, hasWindows = false } = turn
  await flush(redis)
  await fill(side, { url: redis.url, shape, count, hasWindows })
  await far.plan({ ...plan, marksAt: marksOf(count) })
  await resetCommands(redis)
  const started = Array.from({ length: workers }, () => startWorker(world, side, { redis, far, env }))
  const pids = started.map(({ pid }) => pid)
  await far.watch([redis.pid, far.pid, ...pids])
  const state = await far.done()
  await Promise.all(started.map((worker) => worker.stop()))
  const commands = (await countCommands(redis)) / count
  const { perSecond, cpuUs } = stretchOf(state.marks, 0, 1)
  const workerUs = pids.reduce((sum, pid) => sum + cpuUs(pid), 0)
  return { perSecond, workerUs, redisUs: cpuUs(redis.pid), farUs: cpuUs(far.pid), commands, state }
}

export async function flush(redis: LocalRedis): Promise<void> {
  const client = connectRedis(redis.url, 'operate')
  try {
    await client.flushall()
  } finally {
    client.disconnect()
  }
}
