export {
  type HeldFault,
  type Hold,
  pauseApp,
  readHold,
  readHolds,
  readSuspensions,
  resumeApp,
} from './app-hold/hold.ts'
export type { HoldReport } from './app-hold/keeper.ts'
export { type SharedWait, sharedWaitFor } from './bullmq/shared-wait.ts'
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
} from './dead-letters/list.ts'
export { messageOf, storeError } from './errors.ts'
export { type Backlog, readBacklog } from './lanes/backlog.ts'
export { inspectLanes, type LaneInspection, type LaneProblem } from './lanes/inspect.ts'
export {
  answersInTime,
  type ConnectionUse,
  connectRedis,
  parseRedisUrl,
  type RedisClient,
  whenReady,
} from './redis/connection.ts'
export { type RedisHealth, readRedisHealth, redisProblems } from './redis/health.ts'
export { APPS_KEY, appPrefix, DEAD_LETTER_QUEUE, SEND_QUEUE } from './redis/keys.ts'
export { readKnownApps } from './redis/known-apps.ts'
export { type LazyStore, lazyStore } from './redis/lazy-store.ts'
export { createNews, type Hear, type News } from './redis/pubsub.ts'
export { openStore, type Store } from './redis/store.ts'
export { type AccessTokens, createAccessTokens, type IssuedAccess, readAccessToken } from './tokens/access-tokens.ts'
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
} from './tokens/token-store.ts'
export { within } from './within.ts'
export { type Consumer, type ConsumerOptions, type ConsumerReport, createConsumer } from './worker/consumer.ts'
export type { LaneMember, Run, Settlement } from './worker/run.ts'
export type { Trouble } from './worker/settler.ts'
export type { Turn } from './worker/turn.ts'
