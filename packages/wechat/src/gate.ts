/**
 * Who may use a connection, and who waits for one. The HTTP pool has a queue of its own, but nobody can leave that: calls
 * that had timed out would be connected for, one after another, while a broken network makes every connection slow. So calls
 * wait here, where one that has timed out is simply removed, and the pool never gets more than it has connections.
 */

export interface Gate {
  /**
   * Runs `start` now or when a place is free; it says whether it takes the place. Returns a function that gives up
   * waiting; after the start it does nothing.
   */
  enter(start: () => boolean): () => void
  /** Gives a place back, once for every `start` that took one. */
  leave(): void
}

/** The queue is bounded by the calls that its owner has open at once, each of which waits no longer than its timeout. */
export function createGate(places: number): Gate {
  const waiting = new Set<() => boolean>()
  let taken = 0
  return {
    enter(start) {
      if (taken >= places) {
        waiting.add(start)
        return () => waiting.delete(start)
      }
      taken += 1
      if (!start()) taken -= 1
      return () => {}
    },
    leave() {
      // The place goes straight to the one who has waited longest and still wants it. A loop and not a call from one to
      // the next: thousands may have given up at once.
      for (const next of waiting) {
        waiting.delete(next)
        if (next()) return
      }
      taken -= 1
    },
  }
}
