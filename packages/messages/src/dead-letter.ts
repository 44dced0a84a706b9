/**
 * A message that could not be delivered, whole, with the reason and everything that was tried: the data of a job in the
 * queue `dead-letter`.
 */
import type { Attempt, Reason } from './attempt.ts'
import type { JobData } from './job-data.ts'
import type { RemovedContent } from './removed-content.ts'

export interface DeadLetter {
  readonly v: 1
  readonly messageId: string
  /**
   * The message as it was stored, or what is left of it once its content was removed. Data that could not be read stands under
   * `unreadable` instead.
   */
  readonly message: JobData | RemovedContent | { readonly unreadable: unknown }
  readonly reason: Reason
  readonly attempts: readonly Attempt[]
  /** Epoch milliseconds. */
  readonly acceptedAt: number
  readonly deadAt: number
}

/** The recipient, where the message could be read at all. What another program has written may be anything. */
export function recipientOf({ message }: Pick<DeadLetter, 'message'>): string | undefined {
  const isNamed = typeof message === 'object' && message !== null && 'touser' in message
  return isNamed && typeof message.touser === 'string' ? message.touser : undefined
}

/** Whether the content of its message was removed. */
export function isContentRemoved({ message }: Pick<DeadLetter, 'message'>): boolean {
  const kept = typeof message === 'object' && message !== null && 'unreadable' in message ? message.unreadable : message
  return typeof kept === 'object' && kept !== null && 'contentRemoved' in kept && kept.contentRemoved === true
}
