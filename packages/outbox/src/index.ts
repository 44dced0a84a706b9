export { type AccessTokens, createAccessTokens, type IssuedAccess, readAccessToken } from './access-tokens.ts'
export { type Backlog, readBacklog } from './backlog.ts'
export type { Cancellation } from './cancel.ts'
export { type Consumer, type ConsumerOptions, type ConsumerReport, createConsumer } from './consumer.ts'
export {
  type DeadLetterFilter,
  type DeadLetterPage,
  type Discarded,
  discardDeadLetter,
  type ListedDeadLetter,
  listDeadLetters,
  type ReplayRequest,
  readDeadLetter,
  requestReplay,
} from './dead-letters.ts'
export { type Doorbell, doorbellFor } from './doorbell.ts'
export { cleanError, messageOf, OutboxError, type OutboxErrorCode, storeError } from './errors.ts'
export { type RedisHealth, readRedisHealth, redisProblems } from './health.ts'
export { type HeldFault, type Hold, pauseApp, readHold, readHolds, readSuspensions, resumeApp } from './hold.ts'
export type { HoldReport } from './hold-keeper.ts'
export { createJudge, type Judge } from './judge.ts'
export { APPS_KEY, appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from './keys.ts'
export { inspectLanes, type LaneInspection, type LaneProblem } from './lanes.ts'
export { type LazyStore, lazyStore } from './lazy-store.ts'
export { createNews, type Hear, type News } from './news.ts'
export { Outbox, type OutboxLink, type OutboxOptions, type Receipt, type SendResult } from './outbox.ts'
export { answersInTime, type ConnectionUse, connectRedis, parseRedisUrl, type RedisClient, whenReady } from './redis.ts'
export type { LaneMember, Run, Settlement } from './run.ts'
export { openStore, type Store } from './store.ts'
export {
  createTokenStore,
  type FailureWait,
  type FetchedToken,
  type StoredToken,
  type TokenClaim,
  type TokenClaimed,
  type TokenFailure,
  type TokenLock,
  type TokenStore,
} from './token-store.ts'
export type { Turn } from './turn.ts'
export { within } from './within.ts'
