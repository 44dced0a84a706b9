/** Looks again and again until something has come about: for what runs in Vitest and outside of it. */
import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 60_000
const LOOK_EVERY_MS = 100

/** A look that fails counts as "not yet". @throws Error when time is up, with what the last look failed of */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  { timeoutMs = TIMEOUT_MS, everyMs = LOOK_EVERY_MS } = {},
): Promise<void> {
  const started = performance.now()
  for (;;) {
    let cause: unknown
    const so = await isSo().catch((error: unknown) => {
      cause = error
      return false
    })
    if (so) return
    if (performance.now() - started > timeoutMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause })
    await sleep(everyMs)
  }
}
