/**
 * Notices a worker that has work waiting and fetches none. Such workers have been seen with every queue library: a
 * connection that is open and dead, a loop that ended without an error. Its process is better ended and started afresh,
 * and its supervisor does that; `isRunning()` would go on saying yes.
 */

export interface WatchdogOptions {
  /** How long work may wait while nothing is fetched and nothing is in flight. */
  readonly idleMs: number
  /** Whether there is work that this worker could fetch. A Redis that does not answer proves nothing. */
  readonly hasWork: () => Promise<boolean>
  /** Called once. */
  readonly onStuck: () => void
}

export interface Watchdog {
  fetched(): void
  ended(): void
  stop(): void
}

export function createWatchdog({ idleMs, hasWork, onStuck }: WatchdogOptions): Watchdog {
  let inFlight = 0
  let idleSince = performance.now()
  const look = async (): Promise<void> => {
    const works = await hasWork().catch(() => false)
    if (inFlight > 0 || !works) idleSince = performance.now()
    else if (performance.now() - idleSince >= idleMs) {
      clearInterval(timer)
      onStuck()
    }
  }
  const timer = setInterval(() => void look(), idleMs / 6).unref()
  return {
    fetched() {
      inFlight += 1
      idleSince = performance.now()
    },
    ended() {
      inFlight -= 1
      idleSince = performance.now()
    },
    stop: () => clearInterval(timer),
  }
}
