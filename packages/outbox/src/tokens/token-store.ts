/**
 * One token per app, in Redis, for all processes. Whoever fetches a new one holds a lock, and what it fetched is stored
 * only if the lock is still its own and nobody has stored another since it looked: neither a slow answer nor a process
 * that was stopped for a while can put an old token over a new one. A fetch that failed is remembered here as well, so
 * that an endpoint which says no, or nothing, is asked at the same pace by a hundred processes as by one.
 */
import { randomUUID } from 'node:crypto'
import { cleanErrmsg } from '@wechat-outbox/messages'
import { Cluster } from 'ioredis'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import type { News } from '../redis/pubsub.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface StoredToken {
  readonly value: string
  /** The query parameter that carries it: `access_token`, in a cloud container `cloudbase_access_token`. */
  readonly parameter: string
  /** Rises with every other value that is stored. */
  readonly version: number
  /** What is left of it, by Redis's clock; negative once it has ended. */
  readonly leftMs: number
  readonly lifetimeMs: number
  /** WeChat has refused it, and its source has not been asked since. */
  readonly refused: boolean
  /** Since this value was first stored. */
  readonly ageMs: number
  /** How often its source has given it again after a refusal, with no call taken between. */
  readonly repeats: number
  /** For how long nobody is to use it: it was refused a moment ago and is the current one all the same. */
  readonly pauseMs: number
  /** Since its source has given it again after a refusal. Undefined: never. */
  readonly repeatedMsAgo: number | undefined
  /** WeChat has taken a call with it. */
  readonly accepted: boolean
}

export interface FetchedToken {
  /** Whether one that comes again after it was refused to a call is left alone for a while. Default: true. */
  readonly pauses?: boolean
  readonly value: string
  readonly parameter: string
  readonly lifetimeMs: number
}

/** Why there is no token. Neither field holds a secret. */
export interface TokenFailure {
  readonly errcode?: number
  readonly detail: string
}

/** How long a failure is remembered: the first one for `firstMs`, each further one in a row twice as long, `mostMs` at most. */
export interface FailureWait {
  readonly firstMs: number
  readonly mostMs: number
  /** A probe waits as long: it is not the endpoint that fails, and another of its tokens would be refused like the last. */
  readonly probesWait?: boolean
}

export interface TokenClaim {
  /**
   * `need`: a token that serves. `ahead`: the same, but one that is not near its end. `probe`: a fetch, whatever stands
   * in Redis, though not within 15 s of one that failed, nor while new tokens are known to be refused.
   */
  readonly mode: 'need' | 'ahead' | 'probe'
  /** The value that WeChat has refused. It serves nobody until its source has been asked. */
  readonly bad?: string | undefined
  /** Since the refused call began. A source that was asked after that has said already that the token is the current one. */
  readonly badMsAgo?: number | undefined
  /** For so long the source's word that the token is the current one holds against a single refusal. Default 0. */
  readonly wordHoldsMs?: number | undefined
  /** For how long the right to fetch is given. */
  readonly lockMs: number
  /** A token is near its end when less than this is left of it, or a quarter of its lifetime if that is shorter. */
  readonly aheadMs: number
}

export type TokenClaimed =
  | { readonly kind: 'token'; readonly token: StoredToken }
  | { readonly kind: 'failure'; readonly failure: TokenFailure; readonly retryInMs: number }
  /** Another process is fetching one. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'lock'; readonly lock: TokenLock }

/** The right to fetch a token. Ends by itself, so that a process which dies with it delays the others by seconds. */
export interface TokenLock {
  /** The stored value that WeChat has refused: a fetch that gives this one again gives nothing new. */
  readonly refused: string | undefined
  /** That one has been used again after every pause, and was refused each time. */
  readonly isHopeless: boolean
  /** Since WeChat has first refused it. */
  readonly refusedForMs: number
  /** Stores a fetched token. False: the lock or the token is no longer what it was, use what stands there. */
  store(token: FetchedToken): Promise<boolean>
  /** Remembers that the fetch failed. Returns for how many ms, or 0 if the lock was no longer ours. */
  fail(failure: TokenFailure, wait: FailureWait): Promise<number>
  /** Counts a forced refresh and prolongs the lock. False: the day's budget is used up, or the last was less than 30 s ago. */
  mayForce(): Promise<boolean>
  release(): Promise<void>
}

/** A fetch that gave no token. Times are epoch ms, by Redis's clock. */
export interface KeptFailure {
  readonly failure: TokenFailure
  readonly at: number
  /** Nobody asks again before. */
  readonly until: number
}

export interface TokenStore {
  read(): Promise<StoredToken | null>
  /** Why the last fetch gave no token; null where it gave one, or long after. */
  readFailure(): Promise<KeptFailure | null>
  /** Gives a token that serves, or the right to fetch one, or says why there is neither. */
  claim(claim: TokenClaim): Promise<TokenClaimed>
  /**
   * Remembers that WeChat refuses `value` although it has just been fetched. Returns for how many ms, or 0 if another
   * token stands there by now.
   */
  condemn(value: string, failure: TokenFailure, waitMs: number): Promise<number>
  /** WeChat has taken a call with `value`: refusals of it are forgotten, for all processes. */
  prove(value: string): Promise<void>
  /**
   * For those who cannot fetch: asks whoever can for a token, and reports the value that WeChat has refused, at most once
   * a minute for all who report. False: none will come, because nobody is subscribed, a fetch has just failed, or it was
   * reported too soon. True promises nothing; `read` tells.
   */
  want(refused?: string): Promise<boolean>
  /**
   * Calls `hear` when any process has stored a token – with its version –, and without one when a token was refused, could
   * not be had, or when something may have been missed; `onWanted` when somebody needs a token who cannot fetch one. Returns what ends it.
   */
  listen(hear: (version?: number) => void, onWanted?: () => void): () => void
}

/** WeChat's own limit on forced refreshes: beyond it they do nothing. */
const FORCE_INTERVAL_MS = 30_000
const FORCE_PER_DAY = 20
/** With this between calls that fail, a minute sees five of them at most, whoever probes. */
const PROBE_INTERVAL_MS = 15_000
/** A call that is refused whatever the token is must not use up the app's tokens. */
const DOUBT_INTERVAL_MS = 60_000
/** A token that its source repeats is used again after 0, 1, 2, 4, 8, 8 … seconds. */
const REPEAT_PAUSE_MS = 1000
const REPEAT_PAUSE_MS_MAX = 8000
/** The last of these pauses ends 15 seconds after the first began. */
const REPEATS_MAX = 5
const WANTED = 'wanted'

export function createTokenStore(store: Store, appid: string, news?: News): TokenStore {
  const keys = appKeys(appid)
  const { redis } = store
  return {
    async read() {
      const fields = await runScript<string[]>(redis, { name: 'token-read', keys: [keys.token], args: [] })
      return fields.length === 0 ? null : tokenOf(fields)
    },
    async readFailure() {
      const [at, until, ...fields] = await redis.hmget(keys.tokenFailure, 'at', 'until', 'errcode', 'detail')
      if (typeof at !== 'string') return null
      return { failure: failureOf(fields.map((field) => field ?? '')), at: Number(at), until: Number(until) }
    },
    async claim({ mode, bad, badMsAgo = 0, wordHoldsMs = 0, lockMs, aheadMs }) {
      const refusal = [Math.ceil(badMsAgo), wordHoldsMs, REPEAT_PAUSE_MS, REPEAT_PAUSE_MS_MAX, REPEATS_MAX]
      const fence = randomUUID()
      const [kind, ...fields] = await runScript<string[]>(redis, {
        name: 'token-claim',
        keys: [keys.token, keys.tokenLock, keys.tokenFailure],
        args: [fence, lockMs, mode, bad ?? '', aheadMs, PROBE_INTERVAL_MS, keys.tokenNews, ...refusal],
      })
      switch (kind) {
        case 'token':
          return { kind, token: tokenOf(fields) }
        case 'failure':
          return { kind, failure: failureOf(fields), retryInMs: Number(fields[2]) }
        case 'lock':
          return { kind, lock: createLock(store, keys, { fence, lockMs, fields }) }
        default:
          return { kind: 'busy' }
      }
    },
    condemn(value, { errcode, detail }, waitMs) {
      const args = ['', errcode ?? '', detail, waitMs, waitMs, keys.tokenNews, value, 1]
      const call = { name: 'token-fail', keys: [keys.tokenFailure, keys.tokenLock, keys.token], args } as const
      return runScript<number>(redis, call)
    },
    async prove(value) {
      await runScript(redis, { name: 'token-prove', keys: [keys.token], args: [value, keys.tokenNews] })
    },
    async want(refused = '') {
      const heard = await runScript<number>(redis, {
        name: 'token-want',
        keys: [keys.token, keys.tokenFailure, keys.tokenDoubted],
        args: [refused, DOUBT_INTERVAL_MS, keys.tokenNews],
      })
      // A node of a cluster knows only of those who listen at itself.
      return heard > 0 || (heard === 0 && redis instanceof Cluster)
    },
    listen(hear, onWanted) {
      if (news === undefined) return () => undefined
      return news.listen(keys.tokenNews, (message = '') => {
        if (message === WANTED) onWanted?.()
        else if (/^\d+$/.test(message)) hear(Number(message))
        else hear()
      })
    },
  }
}

interface Given {
  readonly fence: string
  readonly lockMs: number
  readonly fields: readonly string[]
}

function createLock({ redis }: Store, keys: AppKeys, { fence, lockMs, fields }: Given): TokenLock {
  const [version = '0', refused = '', repeats = '0', refusedForMs = '0'] = fields
  return {
    refused: refused === '' ? undefined : refused,
    isHopeless: Number(repeats) >= REPEATS_MAX,
    refusedForMs: Number(refusedForMs),
    async store({ value, parameter, lifetimeMs, pauses = true }) {
      const pause = pauses ? [REPEAT_PAUSE_MS, REPEAT_PAUSE_MS_MAX] : [0, 0]
      const args = [value, parameter, lifetimeMs, version, fence, keys.tokenNews, ...pause]
      const call = { name: 'token-store', keys: [keys.token, keys.tokenLock, keys.tokenFailure], args } as const
      return (await runScript<number>(redis, call)) > 0
    },
    fail({ errcode, detail }, { firstMs, mostMs, probesWait = false }) {
      const args = [fence, errcode ?? '', detail, firstMs, mostMs, keys.tokenNews, '', probesWait ? 1 : 0]
      const call = { name: 'token-fail', keys: [keys.tokenFailure, keys.tokenLock, keys.token], args } as const
      return runScript<number>(redis, call)
    },
    async mayForce() {
      const args = [FORCE_INTERVAL_MS, FORCE_PER_DAY, fence, lockMs]
      const call = {
        name: 'token-force',
        keys: [keys.tokenForced, keys.tokenForcedCount, keys.tokenLock],
        args,
      } as const
      return (await runScript<number>(redis, call)) === 1
    },
    async release() {
      await runScript(redis, { name: 'delete-if', keys: [keys.tokenLock], args: [fence] })
    },
  }
}

function tokenOf(fields: readonly string[]): StoredToken {
  const [value = '', parameter = '', version, left, lifetime, refused, age, repeats, pause, repeated = '', accepted] =
    fields
  return {
    value,
    parameter,
    version: Number(version),
    leftMs: Number(left),
    lifetimeMs: Number(lifetime),
    refused: refused === '1',
    ageMs: Number(age),
    repeats: Number(repeats),
    pauseMs: Number(pause),
    repeatedMsAgo: repeated === '' ? undefined : Number(repeated),
    accepted: accepted === '1',
  }
}

/** The detail was cleaned before it was stored, unless an older version or another program has stored it. */
function failureOf([errcode = '', text = '']: readonly string[]): TokenFailure {
  const detail = cleanErrmsg(text)
  return errcode === '' ? { detail } : { errcode: Number(errcode), detail }
}
