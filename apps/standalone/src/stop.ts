/**
 * The ways to an end: a signal, the death of a launcher, a part that failed. All of them abort one AbortSignal, and whoever
 * waits for anything waits for that as well.
 */

export interface Stop {
  /** Aborted with the default reason when somebody wants the end, with an error when something failed. */
  readonly signal: AbortSignal
  request(): void
  fail(error: Error): void
  /** Resolves with `value` when the end was asked for, rejects when something failed. */
  wanted<T>(value: T): Promise<T>
}

/** Ctrl-C reaches this process from the terminal and again from pnpm, at almost the same time: that is one wish, not two. */
const SAME_WISH_MS = 1000

/** Listens from now on. A signal that comes again after more than a second ends the process at once, with 1. */
export function listenForStop(): Stop {
  const controller = new AbortController()
  const { signal } = controller
  let firstAt: number | undefined
  const onSignal = (): void => {
    firstAt ??= performance.now()
    controller.abort()
    if (performance.now() - firstAt > SAME_WISH_MS) process.exit(1)
  }
  const onFault = (error: unknown): void => {
    process.stderr.write(`wechat-outbox ends because of a fault in itself: ${String(error)}\n`)
    process.exit(1)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)
  // Whoever read the output may be gone, together with the launcher that was killed; the end in order goes on.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
  return {
    signal,
    request: () => controller.abort(),
    fail: (error) => controller.abort(error),
    wanted: (value) =>
      new Promise((resolve, reject) => {
        const onAbort = (): void => (isWish(signal.reason) ? resolve(value) : reject(signal.reason))
        if (signal.aborted) onAbort()
        else signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}

/** Whether an error says no more than that the end was asked for. */
export function isWish(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
