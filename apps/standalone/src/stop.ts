/**
 * The ways to an end: a signal, the death of a launcher, a part that failed. All of them abort one AbortSignal, and whoever
 * waits for anything waits for that as well.
 */
import { endOnFault, listenForEnd } from '@wechat-outbox/runtime/process-end'
import { complain } from './say.ts'

export interface Stop {
  /** Aborted with the default reason when somebody wants the end, with an error when something failed. */
  readonly signal: AbortSignal
  /** Aborted when the end takes too long for somebody: what is closing then breaks off what it waits for. */
  readonly cut: AbortSignal
  request(): void
  fail(error: Error): void
  /** Resolves with `value` when the end was asked for, rejects when something failed. */
  wanted<T>(value: T): Promise<T>
}

/** Listens from now on, as `listenForEnd` does. */
export function listenForStop(): Stop {
  const controller = new AbortController()
  const { signal } = controller
  const { first, cut } = listenForEnd()
  void first.then(() => controller.abort())
  endOnFault((error) => complain(`wechat-outbox ends because of a fault in itself: ${String(error)}`))
  return {
    signal,
    cut,
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
