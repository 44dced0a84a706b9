/**
 * An app whose start fails is started again until it runs or leaves: nobody else would do so, because a reload finds it unchanged.
 * Each start is made with connections of its own, because one that Redis has refused at its beginning is of no use afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServedApp } from './app-set.ts'

export interface StartAgainOptions {
  /** Told of each start that failed. */
  readonly onFailed: (error: unknown) => void
  /** For tests. */
  readonly againAfterMs?: number
}

const AGAIN_AFTER_MS = 5000

/** `run` resolves when the app runs, or has left. */
export function startAgain(
  serve: () => ServedApp,
  { onFailed, againAfterMs = AGAIN_AFTER_MS }: StartAgainOptions,
): ServedApp {
  const left = new AbortController()
  const { signal } = left
  let served: ServedApp | undefined
  let ended: Promise<void> = Promise.resolve()

  function end(): void {
    if (served === undefined) return
    ended = Promise.all([ended, served.close()]).then(() => undefined)
    // Whoever closes the app hears of a fault.
    ended.catch(() => undefined)
    served = undefined
  }

  return {
    async run() {
      while (!signal.aborted) {
        try {
          served = serve()
          await served.run()
          return
        } catch (error) {
          // Its end is why it failed.
          if (signal.aborted) return
          onFailed(error)
        }
        end()
        await sleep(againAfterMs, undefined, { signal }).catch(() => undefined)
      }
    },
    trouble: () => served?.trouble(),
    close() {
      left.abort()
      end()
      return ended
    },
  }
}
