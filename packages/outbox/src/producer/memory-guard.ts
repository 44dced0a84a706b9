/**
 * Refuses new messages before Redis reaches its memory limit. At the limit nothing that writes works any more – not even
 * the fetching of what would make room – so the last tenth belongs to the workers.
 */
import { readMemory } from '../redis/health.ts'
import type { Store } from '../redis/store.ts'

export interface MemoryGuard {
  /** Whether Redis was near its limit when it was last asked. Asks again in the background when that is a while ago. */
  isFull(): boolean
}

const FULL_AT = 0.9
const ASK_EVERY_MS = 1000
/** An answer says so much of a Redis that has not been asked since, or is away: some questions more. */
const COUNTS_MS = 3000

export function createMemoryGuard(open: () => Promise<Store>): MemoryGuard {
  let fullUntil = 0
  let askAt = 0
  const ask = async (): Promise<void> => {
    const { redis } = await open()
    // Where Redis does not show it, it refuses by itself when it is full.
    const { usedMemoryBytes = 0, maxMemoryBytes = 0 } = await readMemory(redis)
    const isFull = maxMemoryBytes > 0 && usedMemoryBytes > FULL_AT * maxMemoryBytes
    fullUntil = isFull ? performance.now() + COUNTS_MS : 0
  }
  return {
    isFull() {
      const now = performance.now()
      if (now >= askAt) {
        askAt = now + ASK_EVERY_MS
        // The enqueue notices and reports that Redis is away.
        ask().catch(() => undefined)
      }
      return now < fullUntil
    },
  }
}
