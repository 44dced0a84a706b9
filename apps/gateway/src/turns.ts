/**
 * Work that takes long, in pieces: in a turn of the event loop, those of all requests take some milliseconds together. Otherwise a caller's
 * sixteen megabytes, or ten callers' batches that arrive at the same time, keep everybody else from an answer.
 */

/** No piece is begun in a turn after as long, and none that can be divided goes on. */
const MS_MAX = 10

const waiting: (() => void)[] = []
let isDue = false

/** Does a piece of work when its turn comes, first come, first served. Rejects with what it throws. */
export function inTurn<R>(work: () => R): Promise<R> {
  return new Promise((resolve, reject) => {
    waiting.push(() => {
      try {
        resolve(work())
      } catch (error) {
        reject(error)
      }
    })
    if (isDue) return
    isDue = true
    setImmediate(run)
  })
}

function run(): void {
  const until = performance.now() + MS_MAX
  do waiting.shift()?.()
  while (waiting.length > 0 && performance.now() < until)
  isDue = waiting.length > 0
  if (isDue) setImmediate(run)
}

/** `work` on each of the items, in order. Rejects with what it throws. */
export async function inPieces<T, R>(items: Iterable<T>, work: (item: T) => R): Promise<R[]> {
  const left = items[Symbol.iterator]()
  const results: R[] = []
  /** Whether there is something left. */
  const piece = (): boolean => {
    const until = performance.now() + MS_MAX
    do {
      const next = left.next()
      if (next.done) return false
      results.push(work(next.value))
    } while (performance.now() < until)
    return true
  }
  while (await inTurn(piece));
  return results
}
