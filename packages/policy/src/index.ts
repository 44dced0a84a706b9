export { attemptOf, type Timing } from './attempt-of.ts'
export { type Backoff, backoffDelayMs } from './backoff.ts'
export { APP_WAIT_MS } from './decisions.ts'
export {
  type ErrcodeAction,
  type ErrcodeRow,
  isTokenRefusal,
  type Meaning,
  OWN_REASONS,
  OWN_SOURCE,
  type OwnReasonName,
  type OwnReasonRow,
  reasonKeyByName,
  reasonKeys,
  SEND_ERRCODES,
  sendErrcode,
  TOKEN_ERRCODES,
  tokenErrcode,
} from './errcodes.ts'
export { judge } from './judge.ts'
export { TOKEN_REFRESHES_MAX } from './judge-answer.ts'
export { RETRY_AFTER_MS_MAX } from './judge-no-answer.ts'
export { TOKEN_WAIT_MS } from './judge-no-token.ts'
export type { Decision, Judgement, Situation, WaitOutcome } from './judgement.ts'
export {
  expiredReason,
  expiryReason,
  failedElsewhereReason,
  invalidMessageReason,
  type LastAnswer,
  retriesExhaustedReason,
  unansweredReason,
  unsureReason,
} from './reasons.ts'
export { PROSPECT_MEANINGS, type ReplayProspect, replayProspect } from './replay-prospect.ts'
