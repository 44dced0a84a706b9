/** What a judgement is made from and what it says. `judge.ts` makes it; the worker carries it out. */
import type { AppSignal, Reason } from '@wechat-outbox/messages'

/** What the judgement needs to know beside the outcome: of the message, of its app's settings, of the moment. */
export interface Situation {
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** 0 ≤ random < 1. */
  readonly random: number
  /** Tries that count, the one just made included. */
  readonly tries: number
  readonly triesMax: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  /** Epoch milliseconds. No try is made at this moment or later. */
  readonly expiresAt?: number | undefined
  readonly ifUnsure: 'resend' | 'dead-letter'
  /** What becomes of the message when the reply window of its recipient is closed. */
  readonly onClosed: 'dead-letter' | 'hold'
  /** The media id of the message is one that the outbox got for a picture, and another could be had. Default: false. */
  readonly canRenewMedia?: boolean
  /** Tokens fetched for this run after WeChat had refused the one before: past a few, tokens are not what is wrong. */
  readonly tokenRefreshes: number
  /** How long a suspended app waits for its next probe, in milliseconds. */
  readonly probeEveryMs: number
}

export type WaitOutcome = 'throttled' | 'suspended' | 'token-unavailable' | 'not-sent' | 'refused'

export type Decision =
  | { readonly action: 'delivered' }
  /** Replace the token and send again at once. The try does not count. */
  | { readonly action: 'refresh-token' }
  /** Upload the picture once more and send again at once. The try does not count. */
  | { readonly action: 'renew-media' }
  /** The try counts, and the next one comes after `delayMs`. */
  | { readonly action: 'retry'; readonly delayMs: number }
  /** The fault is not the message's: it waits, keeps its turn, and the try does not count. */
  | { readonly action: 'wait'; readonly delayMs: number; readonly outcome: WaitOutcome; readonly reason: Reason }
  /** It waits for the next action of its user, and the try does not count. */
  | { readonly action: 'await-user'; readonly reason: Reason }
  /** `isWindows`: of the reply window of its recipient. */
  | { readonly action: 'dead'; readonly reason: Reason; readonly isWindows?: true }

export interface Judgement {
  /** What becomes of the message while its app is active. */
  readonly decision: Decision
  /** What becomes of it when the signal has led to the app being held, or the app was held already. */
  readonly ifHeld: Decision
  /** What the call says about the app. Not to be reported with `refresh-token` and `renew-media`: that call is made again at once. */
  readonly signal: AppSignal
}
