/** Asking for a turn: what a run may be answered, and how long it waits for it in memory. */
import { setTimeout as sleep } from 'node:timers/promises'

export type Turn =
  /**
   * `tries` were made before this one. The lease lasts from `leaseFrom`, by `performance.now()`. `interruptedMsAgo`: an earlier
   * run died that long ago with its call open.
   */
  | {
      readonly kind: 'go'
      readonly tries: number
      readonly leaseFrom: number
      readonly interruptedMsAgo?: number
    }
  | { readonly kind: 'park' }
  /** The app is suspended, throttled or paused. */
  | { readonly kind: 'held' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'lost' }
  /** WeChat is known to take nothing for the person now. */
  | { readonly kind: 'await-user'; readonly attempts: readonly [] }
  /** The app's rate leaves no room for a while: the message waits in the queue, and no try is counted. */
  | { readonly kind: 'snooze'; readonly delayMs: number; readonly counts: false; readonly attempts: readonly [] }

/** What `admit.lua` returns. */
export type Answer = readonly [string, string?, string?, string?]

/** What a run waits for its call in memory. Fetching keeps to the rate as well, so that more is rare: after an outage. */
const RATE_WAIT_MS_MAX = 2000

/** Waits in memory for the app's rate, if that is not long. */
export async function askForTurn(
  ask: (canWait: number | '') => Promise<Answer>,
  signal: AbortSignal,
): Promise<{ turn: Turn; probes: boolean }> {
  const later = (delayMs: number) =>
    ({ turn: { kind: 'snooze', delayMs, counts: false, attempts: [] }, probes: false }) as const
  let leaseFrom = performance.now()
  let answer = await ask(RATE_WAIT_MS_MAX)
  if (answer[0] === 'wait') {
    const delayMs = Number(answer[1])
    if (delayMs > RATE_WAIT_MS_MAX) return later(delayMs)
    await sleep(delayMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return later(1)
    leaseFrom = performance.now()
    answer = await ask('')
  }
  return { turn: readTurn(answer, leaseFrom), probes: answer[3] === '1' }
}

function readTurn([kind, tries, since]: Answer, leaseFrom: number): Turn {
  if (kind === 'await-user') return { kind, attempts: [] }
  if (kind !== 'go') return { kind } as Turn
  const turn = { kind, leaseFrom, tries: Number(tries ?? 0) } as const
  return since === undefined || since === '' ? turn : { ...turn, interruptedMsAgo: Number(since) }
}
