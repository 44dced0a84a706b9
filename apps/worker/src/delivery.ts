/** What the steps of a delivery share: what is known of it, and how the outcome of a call becomes a decision, a line of the log and an end. */
import type { Attempt, JobData, Outcome } from '@wechat-outbox/messages'
import type { Run, Settlement } from '@wechat-outbox/outbox/engine'
import { attemptOf, type Decision, isTokenRefusal, judge, type Situation } from '@wechat-outbox/policy'
import type { WechatClient } from '@wechat-outbox/wechat'
import type { Pictures } from './pictures.ts'
import type { Recorder } from './record.ts'
import type { Tokens } from './tokens.ts'

export interface DeliverOptions {
  readonly tokens: Tokens
  readonly pictures: Pictures
  readonly client: WechatClient
  readonly recorder: Recorder
  readonly triesMax: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  readonly sendTimeoutMs: number
  readonly leaseMs: number
  /** Of messages that have no policy of their own for a closed reply window. */
  readonly onClosed: 'dead-letter' | 'hold'
  /** A suspended app is probed this often, in milliseconds. */
  readonly probeEveryMs: number
}

export interface Context {
  readonly run: Run
  readonly data: JobData
  /** The attempts of this run, to which each one is added. */
  readonly attempts: Attempt[]
  /** Tries made before this one. */
  readonly tries: number
  readonly tokenRefreshes: number
  /** Its media id is one of a picture that could be uploaded once more within this try. */
  readonly canRenewMedia?: boolean
}

/** What the call says about the app is stored first, because an app that is held is why a message waits instead of dying. */
export async function decisionOn(outcome: Outcome, context: Context, options: DeliverOptions): Promise<Decision> {
  const { decision, ifHeld, signal } = judge(outcome, situationOf(context, options))
  // The call is not over yet: it is made again at once. And what a picture's server did says nothing about the app.
  if (isRepeated(decision) || outcome.kind === 'no-media') return decision
  return (await context.run.signalApp(signal)) ? ifHeld : decision
}

export function situationOf(
  { run, data, tries, tokenRefreshes, canRenewMedia = false }: Context,
  options: DeliverOptions,
): Situation {
  const { triesMax, backoffMs, backoffMsMax, probeEveryMs } = options
  const { expiresAt, ifUnsure = 'resend' } = data
  const onClosed = (data.onClosed ?? options.onClosed) === 'hold' ? 'hold' : 'dead-letter'
  const now = { nowMs: run.now(), random: Math.random() }
  const limits = { triesMax, backoffMs, backoffMsMax, probeEveryMs }
  return { ...now, ...limits, tries: tries + 1, expiresAt, ifUnsure, onClosed, tokenRefreshes, canRenewMedia }
}

export interface Judged {
  readonly outcome: Outcome
  readonly decision: Decision
  readonly at: number
  readonly ms: number
  readonly isPicture?: boolean
}

export function note(
  context: Context,
  { outcome, decision, at, ms, isPicture = false }: Judged,
  { recorder }: DeliverOptions,
): void {
  const made = attemptOf(outcome, decision, { at, ms })
  context.attempts.push(made)
  recorder.attempted({
    run: context.run,
    data: context.data,
    attempt: made,
    outcome,
    number: context.tries + 1,
    isPicture,
  })
}

export function settlementOf(decision: Decision, attempts: readonly Attempt[]): Settlement {
  switch (decision.action) {
    case 'delivered':
      return { kind: 'delivered', attempts }
    case 'retry':
      return { kind: 'snooze', delayMs: decision.delayMs, counts: true, attempts }
    case 'wait':
      return { kind: 'snooze', delayMs: decision.delayMs, counts: false, attempts }
    case 'await-user':
      return { kind: 'await-user', attempts }
    case 'dead':
      return { kind: 'dead', reason: decision.reason, attempts, isWindows: decision.isWindows }
    // Only a call that was answered can ask for it, and its caller has dealt with that.
    case 'refresh-token':
    case 'renew-media':
      return { kind: 'snooze', delayMs: 1, counts: false, attempts }
  }
}

/** The call is made again at once, with another token or another media id. */
export function isRepeated({ action }: Decision): boolean {
  return action === 'refresh-token' || action === 'renew-media'
}

/** WeChat has refused the token of this call, and fresh ones before it. */
export function isTokenGivenUp(decision: Decision): boolean {
  return decision.action === 'wait' && decision.reason.errcode !== null && isTokenRefusal(decision.reason.errcode)
}
