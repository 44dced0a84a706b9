/**
 * One delivery, top to bottom:
 *
 *   prepare  the request, from the job            pure
 *   admit    is it this message's turn?           not yet → park; its app is held → step back
 *   picture  its media id, if it has a URL         from memory; otherwise without the turn, which is asked for again
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
import { type Decision, expiryReason, invalidMessageReason, isTokenRefusal, judge } from '@wechat-outbox/policy'
import {
  type Context,
  type DeliverOptions,
  decisionOn,
  isRepeated,
  isTokenGivenUp,
  note,
  settlementOf,
  situationOf,
} from './delivery.ts'
import { pictureFor } from './picture-step.ts'
import type { Token } from './tokens.ts'

export type { DeliverOptions }

/** What a worker does with data that only a newer one can read: it waits, and is looked at again. */
const NEWER_DATA_WAIT_MS = 60_000
/** A call ends this long before its lease, so that its answer can still be settled by its own run. */
const LEASE_MARGIN_MS = 1000
/** Calls of one run, all but the last refused for their token. Beyond it others are busy with the token: a short wait. */
const CALLS_MAX = 24
const BUSY_WAIT_MS = 1000

export async function deliver(run: Run, options: DeliverOptions): Promise<Settlement> {
  const prepared = await prepare(run, options)
  if ('settlement' in prepared) return prepared.settlement
  const { data } = prepared
  const attempts: Attempt[] = []
  let tokenRefreshes = 0
  let refused = { value: '', inARow: 0 }
  let refusedMediaId: string | undefined
  const replace = async (bad: Token, startedAt: number): Promise<void> => {
    refused = { value: bad.value, inARow: refused.value === bad.value ? refused.inARow + 1 : 1 }
    const replaced = await options.tokens.replace(bad, { startedAt, inARow: refused.inARow })
    // One that was there already was only new to this process, and says nothing about the app.
    if (replaced.kind === 'token' && replaced.fresh) tokenRefreshes += 1
  }
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
    const picture = await pictureFor(context, { refusedMediaId, replace }, options)
    if (picture.kind === 'settled') return picture.settlement
    if (picture.kind === 'again') continue
    const leftMs = options.leaseMs - (performance.now() - turn.leaseFrom) - LEASE_MARGIN_MS
    // The process was stopped or starved between admission and here: another worker may have the message by now.
    if (leftMs <= 0) return { kind: 'snooze', delayMs: 1, counts: false, attempts }
    const startedAt = performance.now()
    const { mediaId } = picture
    const canRenewMedia = mediaId !== undefined && refusedMediaId === undefined
    const call = { token: result.token, timeoutMs: leftMs, mediaId }
    const decision = await attempt({ ...context, canRenewMedia }, call, options)
    if (isTokenGivenUp(decision)) await options.tokens.condemn(result.token)
    if (!isRepeated(decision)) return settlementOf(decision, attempts)
    if (!(await run.unmark())) return { kind: 'lost' }
    if (decision.action === 'renew-media') refusedMediaId = mediaId
    else await replace(result.token, startedAt)
  }
  return { kind: 'snooze', delayMs: BUSY_WAIT_MS, counts: false, attempts }
}

type Prepared = { readonly data: JobData } | { readonly settlement: Settlement }

async function prepare(run: Run, { recorder }: DeliverOptions): Promise<Prepared> {
  const read = readJobData(run.data)
  switch (read.kind) {
    case 'ok':
      return { data: read.data }
    case 'newer':
      recorder.newerData(run, read.v)
      return { settlement: { kind: 'snooze', delayMs: NEWER_DATA_WAIT_MS, counts: false, attempts: [] } }
    case 'content-removed':
      return { settlement: await withoutContent(run, read.data) }
    case 'invalid':
      return { settlement: { kind: 'dead', reason: invalidMessageReason(read.problem), attempts: [] } }
  }
}

/** WeChat has it, and the run that got that answer had lost its message. Redis decides whether that is so: another program may have written such data. */
async function withoutContent(run: Run, message: { readonly touser: string }): Promise<Settlement> {
  const turn = await run.admit(message)
  if (turn.kind !== 'go') return turn
  return { kind: 'dead', reason: invalidMessageReason('its content was removed'), attempts: [] }
}

/** One call and the judgement on it. */
async function attempt(
  context: Context,
  call: { token: Token; timeoutMs: number; mediaId: string | undefined },
  options: DeliverOptions,
): Promise<Decision> {
  const { run, data } = context
  const at = run.now()
  const started = performance.now()
  const outcome = await options.client.send({
    token: call.token,
    body: wechatBody(data, call.mediaId),
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

/** By Redis's clock: the clocks of hosts differ, and `expiresAt` is a promise. */
function isExpired(run: Run, { expiresAt }: JobData): boolean {
  return expiresAt !== undefined && run.now() >= expiresAt
}
