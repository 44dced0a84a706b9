export type { AppFault, AppSignal, HoldCause, HoldKind } from './app-signal.ts'
export {
  ATTEMPTS_MAX,
  type Attempt,
  type AttemptOutcome,
  type Outcome,
  type Reason,
  reasonLine,
} from './attempt.ts'
export {
  type AppEvent,
  CALLBACK_TYPES,
  type CallbackBody,
  type CallbackType,
  deadEvent,
  deliveredEvent,
  type MessageEvent,
} from './callback.ts'
export { type DeadLetter, isContentRemoved, recipientOf } from './dead-letter.ts'
export {
  type DeadLetterFilter,
  deadLetterFilterSchema,
  matchesFilter,
  reasonKeyOf,
  TASK_IDS_MAX,
  TASK_SIZE,
  type TaskRequest,
  taskRequestSchema,
} from './dead-letter-filter.ts'
export { cleanErrmsg, ERRMSG_CHARS_MAX } from './errmsg.ts'
export { fingerprint } from './fingerprint.ts'
export {
  deadLetterIdOf,
  idTimeOf,
  isDeadLetterId,
  isMessageId,
  isTaskId,
  newMessageId,
  newTaskId,
  replayIdOf,
  replayOriginOf,
} from './ids.ts'
export type { JsonSize } from './inspect.ts'
export {
  EARLIER_REASONS_MAX,
  JOB_DATA_VERSION,
  type JobData,
  newJobData,
  pictureUrlOf,
  type ReadJobData,
  type ReplayOrigin,
  readJobData,
  wechatBody,
} from './job-data.ts'
export { BATCH_MAX, PARTS_MAX, REQUEST_BYTES_MAX, TEXT_BYTES_MAX_DEFAULT, TEXT_BYTES_MAX_MIN } from './limits.ts'
export { type Part, partIdOf, partIdsOf } from './part.ts'
export { PLAIN_ERRORS } from './plain-errors.ts'
export { countProblems, limitProblems, PROBLEMS_MAX, type Problem, underPath } from './problems.ts'
export {
  isRemovedText,
  type RemovedContent,
  readRemovedContent,
  withoutContent,
  withoutUnreadable,
} from './removed-content.ts'
export {
  type ReplyWindow,
  readWindowRule,
  type UserAction,
  userActionSchema,
  WINDOW_ACTIONS,
  WINDOW_ERRCODES,
  WINDOW_RULE_FORM,
  WINDOW_RULES_DEFAULT,
  WINDOW_STATES,
  type WindowAction,
  type WindowDisagreement,
  type WindowRule,
  type WindowRules,
  type WindowState,
} from './reply-window.ts'
export {
  appidSchema,
  type Checked,
  type CheckedRequest,
  check,
  checkSendRequest,
  instantSchema,
  MSGTYPES,
  type Msgtype,
  ON_CLOSED,
  type OnClosed,
  type SendRequest,
  sendRequestSchema,
  touserSchema,
  traceparentSchema,
} from './send-request.ts'
export { splitText, type TextRule, textProblem } from './split-text.ts'
export type { MessageStatus, StatusReport } from './status.ts'
