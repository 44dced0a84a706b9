/** What `status(id)` returns about a message, everywhere the same. The states are drawn in `docs/architecture.md`. */
import type { Attempt } from './attempt.ts'
import type { Part } from './part.ts'

export type MessageStatus =
  | 'scheduled'
  | 'queued'
  | 'held'
  | 'waiting-for-user'
  | 'sending'
  | 'retrying'
  | 'delivered'
  | 'dead'
  | 'replayed'
  | 'discarded'
  | 'cancelled'
  /** A newer message with the same collapse key has taken its place. */
  | 'superseded'

/** Times are ISO 8601 in UTC. */
export interface StatusReport {
  readonly id: string
  readonly status: MessageStatus
  readonly appid: string
  readonly touser: string
  readonly msgtype: string
  readonly acceptedAt: string
  readonly sendAt?: string
  readonly expiresAt?: string
  /** When it first waited for its user; while it does. */
  readonly waitingSince?: string
  readonly settledAt?: string
  readonly deadLetter?: string
  readonly replayOf?: string
  readonly replayedAs?: string
  readonly supersededBy?: string
  /** Of a message that a long text was cut into: which it is. */
  readonly part?: Part
  /** Of the first of them: the ids of all, in their order. */
  readonly parts?: readonly string[]
  readonly attempts: readonly Attempt[]
  /** Its content stands in Redis no more. */
  readonly contentRemoved?: true
  readonly metadata?: Readonly<Record<string, unknown>>
}
