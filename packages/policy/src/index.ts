export { attemptOf, type Timing } from './attempt-of.ts'
export { type Backoff, backoffDelayMs } from './backoff.ts'
export { type ChargeSituation, chargeOf, RETRY_AFTER_MS_MAX, untilQuotaMs } from './charge.ts'
export {
  APP_WAIT_MS,
  type Decision,
  decide,
  type Situation,
  TOKEN_REFRESHES_MAX,
  TOKEN_WAIT_MS,
  type WaitOutcome,
} from './decide.ts'
export {
  type ErrcodeAction,
  type ErrcodeRow,
  isTokenRefusal,
  type Meaning,
  OWN_REASONS,
  OWN_SOURCE,
  type OwnReasonName,
  type OwnReasonRow,
  SEND_ERRCODES,
  sendErrcode,
  TOKEN_ERRCODES,
  tokenErrcode,
} from './errcodes.ts'
export {
  expiredReason,
  expiryReason,
  invalidMessageReason,
  type LastAnswer,
  retriesExhaustedReason,
  stalledReason,
  unsureReason,
} from './reasons.ts'
