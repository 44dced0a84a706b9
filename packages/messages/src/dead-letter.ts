/**
 * A message that could not be delivered, whole, with the reason and everything that was tried: the data of a job in the
 * queue `dead-letter`.
 */
import type { Attempt, Reason } from './attempt.ts'
import type { JobData } from './job-data.ts'

export interface DeadLetter {
  readonly v: 1
  readonly messageId: string
  /** The message as it was stored. Data that could not be read stands under `unreadable` instead. */
  readonly message: JobData | { readonly unreadable: unknown }
  readonly reason: Reason
  readonly attempts: readonly Attempt[]
  /** Epoch milliseconds. */
  readonly acceptedAt: number
  readonly deadAt: number
}

/** The recipient, where the message could be read at all. */
export function recipientOf(letter: DeadLetter): string | undefined {
  return 'touser' in letter.message ? letter.message.touser : undefined
}
