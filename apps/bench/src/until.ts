/** Looks again and again until something has come about. */
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 20
/** Nothing that the bench waits for takes longer; more is a standstill. */
const WAIT_MS_MAX = 900_000

/** @throws Error when it stands still */
export async function until(what: string, isDone: () => Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await isDone())) {
    if (performance.now() - started > WAIT_MS_MAX) throw new Error(`${what} stand still`)
    await sleep(LOOK_EVERY_MS)
  }
}
