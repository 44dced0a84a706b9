/**
 * The engine: what workers, gateways and tools need of what an Outbox stores. It changes with them in one commit, so it is not
 * published: whoever built on it would be broken by any release. A service that sends takes the first entry, `@wechat-outbox/outbox`.
 *
 * The words, each with one meaning in code, scripts and documents:
 *
 *   message      what a producer handed over; a job of the queue `send`
 *   lane         the open messages of one person, oldest first; only the first of them is sent
 *   parked       delayed behind another message of its lane, until that one leaves it
 *   run          one fetch of one message, from its turn to its settlement
 *   turn         the right to make the call; its mark in the job (`sending`) says that a call may be open
 *   lease        how long a turn lasts; the job's lock lasts as long
 *   settlement   what a run came to: delivered, snooze, dead, park, give-back; true once Redis has it
 *   snooze       the message waits, for its next try or for its app, and keeps its place in the lane
 *   dead letter  a message that was given up, with the reason; a failed job of the queue `dead-letter`
 *   ending       what is remembered of a message whose job is gone
 *   hold         an app that is held sends nothing but probes: it is suspended, throttled or paused
 *   signal       what one call says about its app
 *   probe        a call, or a question for a token, that shows whether a held app works again
 *   task         a replay or a discard of many dead letters, stored, carried out in batches
 *   event        what an app's receiver is told: a job of the queue `callback`
 *   receiver     whom an app's events are told; held like an app when it fails
 *   window       what is known of a person's reply window: how much WeChat takes, and until when
 *   sweep        the look every 30 s for what no run settles
 */
export {
  type HeldFault,
  type Hold,
  pauseApp,
  readHold,
  readHolds,
  resumeApp,
} from './app-hold/hold.ts'
export type { HoldReport } from './app-hold/keeper.ts'
export { attemptsOf, readHistory } from './bullmq/job-hash.ts'
export { type SharedWait, sharedWaitFor } from './bullmq/shared-wait.ts'
export {
  CALLBACKS_AT_ONCE,
  type CallbackReport,
  type Called,
  type Receiver,
} from './callbacks/deliverer.ts'
export { type ListedEvent, walkEvents } from './callbacks/list.ts'
export {
  appsWithCallbacks,
  type CallbackReplay,
  type Callbacks,
  countCallbacks,
  type ReceiverHold,
  type ReplayedCallbacks,
  readCallbacks,
  replayCallbacks,
  resumeCallbacks,
} from './callbacks/operate.ts'
export type { TakenEvent } from './callbacks/turn.ts'
export {
  type CountedBy,
  countAtOnce,
  countDeadLetters,
  countGiven,
  type LetterCount,
  type LetterCounts,
} from './dead-letters/count.ts'
export { countNotReplayable } from './dead-letters/count-not-replayable.ts'
export {
  type CountedWindows,
  countWindows,
  WINDOWS_COUNTED_MAX,
  type WindowCounts,
} from './dead-letters/count-windows.ts'
export { type Discarded, discardDeadLetter } from './dead-letters/discard.ts'
export { wholeLetterIn } from './dead-letters/letter.ts'
export {
  type DeadLetterPage,
  type ListedDeadLetter,
  type ListFilter,
  listDeadLetters,
  type ReplayRequest,
  readDeadLetter,
  requestReplay,
} from './dead-letters/list.ts'
export { type NotReplayable, whyNotReplayable } from './dead-letters/replayable.ts'
export { type Forgotten, forgetPerson } from './erase/forget.ts'
export { isRefusal, messageOf, messageWithCause, NEW_KEY, storeError } from './errors.ts'
export { type Backlog, readBacklog } from './lanes/backlog.ts'
export { inspectLanes, type LaneInspection, type LaneProblem } from './lanes/inspect.ts'
export {
  createMediaStore,
  type MediaStore,
  pictureDigest,
  type SharedUpload,
  type StoredMedia,
  type UploadedMedia,
} from './media/media-store.ts'
export {
  LISTED_STATUSES,
  listPersonMessages,
} from './producer/person-messages.ts'
export {
  type ConnectionUse,
  connectRedis,
  type RedisClient,
  whenReady,
} from './redis/connection.ts'
export {
  type RedisHealth,
  type RedisMemory,
  readMemory,
  readRedisHealth,
  redisProblems,
  redisUnknowns,
} from './redis/health.ts'
export { APPS_KEY, appPrefix, CALLBACK_QUEUE, DEAD_LETTER_QUEUE, SEND_QUEUE } from './redis/keys.ts'
export { readKnownApps, readServed, readUnserved, type UnservedApp, unservedSentence } from './redis/known-apps.ts'
export { type LazyStore, lazyStore } from './redis/lazy-store.ts'
export { createNews, type Hear, type News } from './redis/pubsub.ts'
export { type RedisReadiness, readReadiness } from './redis/readiness.ts'
export { openStore, type Store } from './redis/store.ts'
export { parseRedisUrl } from './redis/url.ts'
export {
  cancelTask,
  createTask,
  isReplayPaused,
  listRunningTasks,
  listTasks,
  readTask,
  TASKS_OPEN_MAX,
  type Task,
} from './tasks/task.ts'
export { type AccessTokens, createAccessTokens, type IssuedAccess, readAccessToken } from './tokens/access-tokens.ts'
export { type CredentialAnswer, type CredentialCheck, checkCredential } from './tokens/credential-check.ts'
export {
  createTokenStore,
  type FailureWait,
  type FetchedToken,
  type KeptFailure,
  type StoredToken,
  type TokenClaim,
  type TokenClaimed,
  type TokenFailure,
  type TokenLock,
  type TokenStore,
} from './tokens/token-store.ts'
export {
  type ActionOfUser,
  type Noted,
  readAwaitingUser,
  readWindow,
  readWindowStates,
  recordAction,
} from './windows/ledger.ts'
export { within } from './within.ts'
export { type Consumer, type ConsumerOptions, type ConsumerReport, createConsumer } from './worker/consumer.ts'
export type { LaneMember, Run, Settlement } from './worker/run.ts'
export type { Trouble } from './worker/settler.ts'
export type { Turn } from './worker/turn.ts'
