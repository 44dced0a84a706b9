/**
 * Redis's time on this machine. `sendAt` and `expiresAt` are promises to people, and the clocks of hosts differ by seconds
 * and sometimes by minutes; so one clock decides, Redis's. Scripts ask it themselves. A worker that has to judge between two
 * scripts whether a message has expired knows how far its own clock is off, measured anew from time to time.
 */
import type { RedisClient } from './connection.ts'

export interface RedisClock {
  /** Epoch milliseconds by Redis's clock, within half a round trip. Before it was measured: by this machine's. */
  now(): number
  /** The time of this machine's clock at which Redis's shows `redisMs`, both in epoch milliseconds. */
  toLocal(redisMs: number): number
  /** By how much this machine's clock is ahead of Redis's, in milliseconds. */
  aheadMs(): number
  /** Asks Redis. The queue poll does so again and again, so one that fails ends nothing. @throws when it does not answer */
  measure(): Promise<void>
  /** As `now`, in a process that does not measure by itself: asks Redis where nobody has for a minute. @throws when it does not answer */
  read(): Promise<number>
}

/** The quickest of so many answers is the best measure of the time. */
const SAMPLES = 3
const MEASURED_MS = 60_000

export function createRedisClock(redis: RedisClient): RedisClock {
  // Added to `performance.now()`, which nobody sets back or forth.
  let startedAt = performance.timeOrigin
  let measuredAt = Number.NEGATIVE_INFINITY
  const now = (): number => performance.now() + startedAt
  const clock: RedisClock = {
    now: () => Math.round(now()),
    aheadMs: () => Math.round(Date.now() - now()),
    toLocal: (redisMs) => redisMs + (Date.now() - now()),
    async measure() {
      let quickestMs = Number.POSITIVE_INFINITY
      for (let sample = 0; sample < SAMPLES; sample += 1) {
        const asked = performance.now()
        const [seconds, micros] = (await redis.time()) as unknown as [string, string]
        const answered = performance.now()
        if (answered - asked >= quickestMs) continue
        quickestMs = answered - asked
        startedAt = Number(seconds) * 1000 + Number(micros) / 1000 - (asked + answered) / 2
      }
      measuredAt = performance.now()
    },
    async read() {
      if (performance.now() - measuredAt > MEASURED_MS) await clock.measure()
      return clock.now()
    },
  }
  return clock
}
