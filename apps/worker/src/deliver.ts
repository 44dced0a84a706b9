/**
 * One delivery, top to bottom:
 *
 *   prepare  the request, from the job            pure
 *   admit    is it this message's turn?           not yet → park; its app is held → step back
 *   send     one HTTP call                        never throws for what WeChat says: an outcome
 *   judge    outcome → decision, ifHeld, signal   pure, from the table
 *   signal   is it the app's fault?               then it is held, its messages wait, and none loses a try
 *   record   one log line, the counters
 *   settle   make the decision true in Redis      (the store does, with what is returned here)
 *
 * A token comes before admission: the mark that `admit` sets means that a call may be open, so nothing may wait after it. A
 * turn that came with the fetch is waived where there is something to wait for.
 */
import { type Attempt, type JobData, type Outcome, readJobData, wechatBody } from '@wechat-outbox/messages'
import type { Run, Settlement } from '@wechat-outbox/outbox/engine'
import {
  attemptOf,
  type Decision,
  expiryReason,
  invalidMessageReason,
  isTokenRefusal,
  judge,
  type Situation,
} from '@wechat-outbox/policy'
import type { WechatClient } from '@wechat-outbox/wechat'
import type { Recorder } from './record.ts'
import type { Token, Tokens } from './tokens.ts'

export interface DeliverOptions {
  readonly tokens: Tokens
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

/** What a worker does with data that only a newer one can read: it waits, and is looked at again. */
const NEWER_DATA_WAIT_MS = 60_000
/** A call ends this long before its lease, so that its answer can still be settled by its own run. */
const LEASE_MARGIN_MS = 1000
/** Calls of one run, all but the last refused for their token. Beyond it others are busy with the token: a short wait. */
const CALLS_MAX = 24
const BUSY_WAIT_MS = 1000

export async function deliver(run: Run, options: DeliverOptions): Promise<Settlement> {
  const prepared = prepare(run, options)
  if ('settlement' in prepared) return prepared.settlement
  const { data } = prepared
  const attempts: Attempt[] = []
  let tokenRefreshes = 0
  let refused = { value: '', inARow: 0 }
  for (let calls = 0; calls < CALLS_MAX; calls += 1) {
    if (!options.tokens.isReady()) await run.waive()
    const result = await options.tokens.current()
    if (result.kind === 'no-token' && !isExpired(run, data))
      return withoutToken({ run, data, attempts }, result, options)
    if (result.kind === 'paused' && !isExpired(run, data)) return afterPause(result.pauseMs, { run, data, attempts })
    const turn = await run.admit(data)
    if (turn.kind !== 'go') return turn
    const context = { run, data, attempts, tries: turn.tries, tokenRefreshes }
    if (turn.interruptedMsAgo !== undefined) {
      const stop = resume({ ...context, agoMs: turn.interruptedMsAgo }, options)
      if (stop !== undefined) return stop
    }
    if (result.kind !== 'token' || isExpired(run, data)) {
      return { kind: 'dead', reason: expiryReason(attempts.at(-1) ?? run.lastAttempt()), attempts }
    }
    const leftMs = options.leaseMs - (performance.now() - turn.leaseFrom) - LEASE_MARGIN_MS
    // The process was stopped or starved between admission and here: another worker may have the message by now.
    if (leftMs <= 0) return { kind: 'snooze', delayMs: 1, counts: false, attempts }
    const startedAt = performance.now()
    const decision = await attempt(context, { token: result.token, timeoutMs: leftMs }, options)
    if (isTokenGivenUp(decision)) await options.tokens.condemn(result.token)
    if (decision.action !== 'refresh-token') return settlementOf(decision, attempts)
    if (!(await run.unmark())) return { kind: 'lost' }
    const { value } = result.token
    refused = { value, inARow: refused.value === value ? refused.inARow + 1 : 1 }
    const replaced = await options.tokens.replace(result.token, { startedAt, inARow: refused.inARow })
    // One that was there already was only news to this process, and says nothing about the app.
    if (replaced.kind === 'token' && replaced.fresh) tokenRefreshes += 1
  }
  return { kind: 'snooze', delayMs: BUSY_WAIT_MS, counts: false, attempts }
}

type Prepared = { readonly data: JobData } | { readonly settlement: Settlement }

function prepare(run: Run, { recorder }: DeliverOptions): Prepared {
  const read = readJobData(run.data)
  switch (read.kind) {
    case 'ok':
      return { data: read.data }
    case 'newer':
      recorder.newerData(run, read.v)
      return { settlement: { kind: 'snooze', delayMs: NEWER_DATA_WAIT_MS, counts: false, attempts: [] } }
    case 'invalid':
      return { settlement: { kind: 'dead', reason: invalidMessageReason(read.problem), attempts: [] } }
  }
}

interface Context {
  readonly run: Run
  readonly data: JobData
  /** The attempts of this run, to which each one is added. */
  readonly attempts: Attempt[]
  /** Tries made before this one. */
  readonly tries: number
  readonly tokenRefreshes: number
}

/** One call and the judgement on it. */
async function attempt(
  context: Context,
  call: { token: Token; timeoutMs: number },
  options: DeliverOptions,
): Promise<Decision> {
  const { run, data } = context
  const at = run.now()
  const started = performance.now()
  const outcome = await options.client.send({
    token: call.token,
    body: wechatBody(data),
    signal: run.signal,
    timeoutMs: Math.floor(Math.min(call.timeoutMs, options.sendTimeoutMs)),
  })
  const ms = Math.round(performance.now() - started)
  if (outcome.kind === 'answered' && outcome.errcode >= 0 && !isTokenRefusal(outcome.errcode)) {
    options.tokens.prove(call.token)
  }
  const decision = await decisionOn(outcome, context, options)
  note(context, { outcome, decision, at, ms }, options)
  return decision
}

/** The store hears first what the call says about the app, because an app that is held is why a message waits instead of dying. */
async function decisionOn(outcome: Outcome, context: Context, options: DeliverOptions): Promise<Decision> {
  const { decision, ifHeld, signal } = judge(outcome, situationOf(context, options))
  // The call is not over yet: it is made again at once, with another token.
  if (decision.action === 'refresh-token') return decision
  return (await context.run.signalApp(signal)) ? ifHeld : decision
}

/**
 * An earlier run died with its call open. Its outcome is unsure, and `ifUnsure` decides; a resend happens at once, because
 * the time that a dead worker takes to be noticed has been backoff enough.
 */
function resume(context: Context & { agoMs: number }, options: DeliverOptions): Settlement | undefined {
  const outcome: Outcome = { kind: 'unsure', detail: 'the worker ended while the call was open' }
  const situation = situationOf({ ...context, tries: context.tries - 1 }, options)
  // A dead worker says nothing about its app.
  const { decision } = judge(outcome, situation)
  note(context, { outcome, decision, at: context.run.now() - context.agoMs, ms: 0 }, options)
  return decision.action === 'retry' ? undefined : settlementOf(decision, context.attempts)
}

async function withoutToken(
  at: Pick<Context, 'run' | 'data' | 'attempts'>,
  outcome: Outcome,
  options: DeliverOptions,
): Promise<Settlement> {
  const context: Context = { ...at, tries: 0, tokenRefreshes: 0 }
  const decision = await decisionOn(outcome, context, options)
  note(context, { outcome, decision, at: context.run.now(), ms: 0 }, options)
  return settlementOf(decision, at.attempts)
}

/** The token is the current one and was refused a moment ago. Nothing is anybody's fault yet. */
function afterPause(pauseMs: number, { run, data, attempts }: Pick<Context, 'run' | 'data' | 'attempts'>): Settlement {
  const { expiresAt = Number.POSITIVE_INFINITY } = data
  const delayMs = Math.max(1, Math.min(pauseMs, expiresAt - run.now()))
  return { kind: 'snooze', delayMs, counts: false, attempts }
}

function situationOf({ run, data, tries, tokenRefreshes }: Context, options: DeliverOptions): Situation {
  const { triesMax, backoffMs, backoffMsMax, probeEveryMs } = options
  const { expiresAt, ifUnsure = 'resend' } = data
  const onClosed = (data.onClosed ?? options.onClosed) === 'hold' ? 'hold' : 'dead-letter'
  const now = { nowMs: run.now(), random: Math.random() }
  const limits = { triesMax, backoffMs, backoffMsMax, probeEveryMs }
  return { ...now, ...limits, tries: tries + 1, expiresAt, ifUnsure, onClosed, tokenRefreshes }
}

interface Judged {
  readonly outcome: Outcome
  readonly decision: Decision
  readonly at: number
  readonly ms: number
}

function note(context: Context, { outcome, decision, at, ms }: Judged, { recorder }: DeliverOptions): void {
  const made = attemptOf(outcome, decision, { at, ms })
  context.attempts.push(made)
  recorder.attempted({ run: context.run, data: context.data, attempt: made, number: context.tries + 1 })
}

function settlementOf(decision: Decision, attempts: readonly Attempt[]): Settlement {
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
      return { kind: 'snooze', delayMs: 1, counts: false, attempts }
  }
}

/** WeChat has refused the token of this call, and fresh ones before it. */
function isTokenGivenUp(decision: Decision): boolean {
  return decision.action === 'wait' && decision.reason.errcode !== null && isTokenRefusal(decision.reason.errcode)
}

/** By Redis's clock: the clocks of hosts differ, and `expiresAt` is a promise. */
function isExpired(run: Run, { expiresAt }: JobData): boolean {
  return expiresAt !== undefined && run.now() >= expiresAt
}
