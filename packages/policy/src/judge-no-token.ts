/** What it means that there is no token to send with. Whatever holds the app then, the token endpoint is what the probe asks. */
import type { Outcome } from '@wechat-outbox/messages'
import { appFault, holdApp } from './app-faults.ts'
import { heldOrNot, wait } from './decisions.ts'
import { tokenErrcode } from './errcodes.ts'
import type { Judgement, Situation } from './judgement.ts'
import { lastAnswerOf, noTokenReason } from './reasons.ts'

/** How long a message waits when a token could not be had for a passing reason, and nobody says when to ask again. */
export const TOKEN_WAIT_MS = 5_000

/** Runs in a row that found no token for a passing reason. */
const NO_TOKEN_MAX = 5

export function judgeNoToken(outcome: Extract<Outcome, { kind: 'no-token' }>, situation: Situation): Judgement {
  const row = outcome.errcode === undefined ? undefined : tokenErrcode(outcome.errcode)
  const why = { cause: 'token', reason: noTokenReason(lastAnswerOf(outcome)) } as const
  if (row !== undefined) return holdApp(appFault(row.action, why, situation), situation)
  // The endpoint is not asked before `retryInMs`, but another process may have a token earlier.
  const delayMs = Math.min(Math.max(1, Math.ceil(outcome.retryInMs ?? TOKEN_WAIT_MS)), TOKEN_WAIT_MS)
  const fault = appFault('suspend', why, situation)
  // What is left of the endpoint's own pause may be nothing, and may be longer than the first one of the probes.
  const holdMs = Math.min(Math.max(Math.ceil(outcome.retryInMs ?? 0), fault.holdMs), fault.everyMs)
  return heldOrNot(wait({ outcome: 'token-unavailable', delayMs, reason: why.reason }, situation), {
    ...fault,
    holdMs,
    inARow: { group: 'token', max: NO_TOKEN_MAX },
  })
}
