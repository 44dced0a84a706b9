/**
 * A fault that repeats fills a log with the same line, and the disk with the log. So each cause is told once in an interval,
 * with how often it was met since.
 */

/** Ten seconds, as the settler's own lines. */
const EVERY_MS = 10_000
/** Causes that are remembered; beyond that the oldest is told anew. */
const CAUSES_MAX = 100

/** Calls `say` for a cause that was not told in the last `everyMs`; `times`: how often it was met since it was told, this time included. */
export function createSeldom(everyMs = EVERY_MS): (cause: string, say: (times: number) => void) => void {
  const told = new Map<string, { at: number; times: number }>()
  return (cause, say) => {
    const now = performance.now()
    const before = told.get(cause)
    if (before !== undefined && now - before.at < everyMs) {
      before.times += 1
      return
    }
    told.delete(cause)
    told.set(cause, { at: now, times: 0 })
    const [oldest] = told.keys()
    if (told.size > CAUSES_MAX && oldest !== undefined) told.delete(oldest)
    say((before?.times ?? 0) + 1)
  }
}
