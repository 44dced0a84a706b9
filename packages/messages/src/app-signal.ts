/**
 * What a call says about its app, apart from what becomes of its message. `policy` finds it in the outcome, `outbox` acts
 * on it: an app whose settings, quota or way to WeChat are at fault is held, and its messages wait without losing a try.
 */
import type { Reason } from './attempt.ts'

/** `suspended`: something has to be mended. `throttled`: something has been used up. Either way a probe ends it. */
export type HoldKind = 'suspended' | 'throttled'

/**
 * Where the fault lies. `token`: there is none to send with, and the token endpoint is asked by the probe; `send`: WeChat
 * refuses the app's calls; `road`: calls do not reach WeChat; `asked`: it said when to come back (`Retry-After`); `quota`.
 */
export type HoldCause = 'token' | 'send' | 'road' | 'asked' | 'quota'

export interface AppFault {
  readonly kind: 'fault'
  readonly hold: HoldKind
  readonly cause: HoldCause
  readonly reason: Reason
  /** Milliseconds until the first probe. */
  readonly holdMs: number
  /** Each pause between two probes is twice the one before, up to this, in milliseconds. */
  readonly everyMs: number
  /**
   * It is the app's fault only after so many of its group in a row, for at least so many people (one, if that is absent),
   * without an answer between that ends the row. What ends `unexplained`: a delivery, `healthy` and `reached`.
   */
  readonly inARow?: {
    readonly group: 'unexplained' | 'unauthorized' | 'token'
    readonly max: number
    readonly people?: number
  }
}

export type AppSignal =
  | { readonly kind: 'delivered' }
  /** WeChat refused the message for a fault of its own: the app may send. */
  | { readonly kind: 'healthy' }
  /** WeChat answered, which proves that it is reached, and nothing about the app. */
  | { readonly kind: 'reached' }
  | { readonly kind: 'unknown' }
  | AppFault
