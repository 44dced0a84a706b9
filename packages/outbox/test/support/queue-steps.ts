/** What may happen to a queue, at random, and how each of it is done to one side. */
import type { Attempt } from '@wechat-outbox/messages'
import fc from 'fast-check'
import type { RedisClient } from '../../src/redis/connection.ts'
import { HOUR_MS } from './queue-dump.ts'
import { dataOf, type Got, hold, type Side } from './queue-sides.ts'

export type Step =
  | { readonly do: 'add'; readonly hours: readonly number[] }
  /** By BullMQ on both sides, as other programs do. */
  | { readonly do: 'add-plain'; readonly priority: number; readonly hours: number; readonly removes: boolean }
  | { readonly do: 'fetch'; readonly count: number }
  | { readonly do: 'complete'; readonly which: number; readonly fetches: boolean }
  | {
      readonly do: 'delay'
      readonly which: number
      readonly fetches: boolean
      readonly hours: number
      readonly counts: boolean
      readonly tried: boolean
    }
  /** So many delayed jobs are due by now. */
  | { readonly do: 'due'; readonly count: number }
  /** So many completed ones are older than they are kept. */
  | { readonly do: 'age'; readonly count: number }
  | { readonly do: 'pause' | 'resume' | 'look-for-stalled' }
  | { readonly do: 'worker-dies'; readonly which: number }
  /** 0: none. */
  | { readonly do: 'concurrency' | 'rate'; readonly max: number }

const small = fc.nat({ max: 3 })
const hours = fc.constantFrom(0, 0, 0, 1, 2, 3)

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('add' as const), hours: fc.array(hours, { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('add-plain' as const), priority: small, hours, removes: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('fetch' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('complete' as const), which: small, fetches: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('delay' as const),
      which: small,
      fetches: fc.boolean(),
      hours: fc.integer({ min: 1, max: 3 }),
      counts: fc.boolean(),
      tried: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('due' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('age' as const), count: small }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'look-for-stalled' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('worker-dies' as const), which: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('concurrency' as const, 'rate' as const), max: small }) },
)

export const STEPS: fc.Arbitrary<Step[]> = fc.array(STEP, { minLength: 1, maxLength: 16 })

const TRIED: Attempt = { at: 1_800_000_000_000, outcome: 'retry', ms: 1, errcode: -1, errmsg: 'busy' }
const DELAYED_FACTOR = 0x1000

/** The moment that ended long ago, the same on both sides: so the order of such jobs is theirs as well. */
const longAgo = (n: number): number => 1_700_000_000_000 + n

export interface At {
  readonly redis: RedisClient
  readonly side: Side
  /** The number of the step: ids and tokens are made from it. */
  readonly n: number
}

/** Makes a step on one side. Returns what it fetched. */
export async function makeStep(step: Step, { redis, side, n }: At): Promise<Got[]> {
  const { queue, keys, held } = side
  const idOf = (k: number): string => `m-${String(n * 100 + k).padStart(20, '0')}`
  const take = (which: number) => held.splice(which % held.length, 1)[0]
  switch (step.do) {
    case 'add':
      await side.add(step.hours.map((many, k) => ({ id: idOf(k), delayMs: many * HOUR_MS })))
      return []
    case 'add-plain': {
      const { priority, removes } = step
      const removeOnComplete = removes ? { removeOnComplete: true } : {}
      const opts = {
        jobId: idOf(0),
        priority,
        ...(step.hours > 0 ? { delay: step.hours * HOUR_MS } : {}),
        ...removeOnComplete,
      }
      await queue.add('text', dataOf(idOf(0)), opts)
      return []
    }
    case 'fetch': {
      const tokens = Array.from({ length: step.count }, (_, k) => `run:${n}:${k}`)
      const got = await side.fetch(tokens)
      for (const [k, one] of got.entries()) hold(side, one, tokens[k] ?? '')
      return got
    }
    case 'complete':
    case 'delay': {
      const run = take(step.which)
      if (run === undefined) return []
      const { fetches } = step
      const got =
        step.do === 'complete'
          ? await side.complete({ run, fetches })
          : await side.delay({
              run,
              fetches,
              delayMs: step.hours * HOUR_MS,
              counts: step.counts,
              attempts: step.tried ? [TRIED] : [],
            })
      return got === undefined ? [] : [await lookAgain(got, { redis, side }, run.token)]
    }
    case 'due': {
      const ids = await redis.zrange(keys.sendDelayed, '0', String(step.count - 1))
      for (const [k, id] of ids.entries()) await redis.zadd(keys.sendDelayed, longAgo(k) * DELAYED_FACTOR, id)
      return []
    }
    case 'age': {
      const ids = await redis.zrange(keys.sendCompleted, '0', String(step.count - 1))
      for (const [k, id] of ids.entries()) await redis.zadd(keys.sendCompleted, longAgo(k), id)
      return []
    }
    case 'pause':
      await queue.pause()
      return []
    case 'resume':
      await queue.resume()
      return []
    case 'worker-dies': {
      const run = take(step.which)
      if (run !== undefined) await redis.del(keys.sendLock(String(run.job.id)))
      return []
    }
    case 'look-for-stalled':
      await side.lookForStalled()
      // It keeps looks apart in time.
      await redis.del(`${keys.sendJobs}stalled-check`)
      return []
    case 'concurrency':
      await (step.max === 0 ? queue.removeGlobalConcurrency() : queue.setGlobalConcurrency(step.max))
      return []
    case 'rate':
      await (step.max === 0 ? queue.removeGlobalRateLimit() : queue.setGlobalRateLimit(step.max, HOUR_MS))
      return []
  }
}

/** A Worker that has found nothing waits for the marker, and asks again where there is one. */
async function lookAgain(got: Got, { redis, side }: Omit<At, 'n'>, token: string): Promise<Got> {
  const isLate = side.mayFetchLater && got.json === undefined
  const found =
    isLate && (await redis.zscore(side.keys.sendMarker, '0')) !== null ? (await side.fetch([token]))[0] : got
  hold(side, found, token)
  return found ?? got
}
