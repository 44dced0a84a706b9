/**
 * Work that takes long, in pieces: one piece of all requests together in a turn of the event loop. Otherwise a caller's sixteen megabytes, or ten
 * callers' batches that arrive at the same time, keep everybody else from an answer.
 */

/** After as long a piece ends. */
const PIECE_MS = 10

const waiting: (() => void)[] = []

/** Resolves when this is the one piece of a turn, first come, first served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(begin)
  })
}

function begin(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(begin)
}

/** `work` on each of the items, in order. Rejects with what it throws. */
export async function inPieces<T, R>(items: Iterable<T>, work: (item: T) => R): Promise<R[]> {
  const results: R[] = []
  await nextTurn()
  let until = performance.now() + PIECE_MS
  for (const item of items) {
    if (performance.now() > until) {
      await nextTurn()
      until = performance.now() + PIECE_MS
    }
    results.push(work(item))
  }
  return results
}
