/**
 * Notices a worker that has work waiting and fetches none. Such workers have been seen with every queue library: a
 * connection that is open and dead, a loop that ended without an error. Its process is better ended and started afresh,
 * and its supervisor does that; `isRunning()` would go on saying yes.
 *
 * What is known to hang heals by itself (`redis/connection.ts`, `bullmq/`). This is for the rest.
 */

export interface WatchdogOptions {
  /** How long work may wait while nothing is fetched and nothing is in flight. */
  readonly idleMs: number
  /**
   * Whether there is work that this worker could fetch. A Redis that does not answer proves nothing, and one that refuses is no fault of
   * the process, which holds answers of WeChat that Redis does not have: false.
   */
  readonly hasWork: () => boolean
  /** Called once. */
  readonly onStuck: () => void
}

export interface Watchdog {
  /** Something was fetched, and is in flight until its promise settles. */
  watching<T>(run: Promise<T>): Promise<T>
  stop(): void
}

export function createWatchdog({ idleMs, hasWork, onStuck }: WatchdogOptions): Watchdog {
  let inFlight = 0
  let idleSince = performance.now()
  const look = (): void => {
    if (inFlight > 0 || !hasWork()) idleSince = performance.now()
    else if (performance.now() - idleSince >= idleMs) {
      clearInterval(timer)
      onStuck()
    }
  }
  const timer = setInterval(look, idleMs / 6).unref()
  return {
    async watching(run) {
      inFlight += 1
      try {
        return await run
      } finally {
        inFlight -= 1
        idleSince = performance.now()
      }
    },
    stop: () => clearInterval(timer),
  }
}
