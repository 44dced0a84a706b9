/**
 * One token per app, in Redis, for all processes. Whoever fetches a new one holds a lock, and what it fetched is stored
 * only if the lock is still its own and nobody has stored another since it looked: neither a slow answer nor a process
 * that was stopped for a while can put an old token over a new one.
 */
import { appKeys } from './keys.ts'
import { runScript } from './scripts.ts'
import type { Store } from './store.ts'

export interface StoredToken {
  readonly value: string
  /** The query parameter that carries it: `access_token`, in a cloud container `cloudbase_access_token`. */
  readonly parameter: string
  readonly version: number
  /** What is left of it, by Redis's clock; negative once it has ended. */
  readonly leftMs: number
  readonly lifetimeMs: number
}

export interface FetchedToken {
  readonly value: string
  readonly parameter: string
  readonly lifetimeMs: number
}

/** The right to fetch a token. Ends by itself, so that a process which dies with it delays the others by seconds. */
export interface TokenLock {
  /** Stores a fetched token in the place of `replaces` (0: there was none). False: somebody was faster, use theirs. */
  store(token: FetchedToken, replaces: number): Promise<boolean>
  release(): Promise<void>
}

/** WeChat's own limit on forced refreshes: beyond it they do nothing. */
const FORCE_INTERVAL_MS = 30_000
const FORCE_PER_DAY = 20

export interface TokenStore {
  read(): Promise<StoredToken | null>
  /** The lock for `ms`, or null while another process has it. */
  lock(ms: number): Promise<TokenLock | null>
  /** Counts a forced refresh. False: the day's budget is used up, or the last one was less than 30 s ago. */
  mayForce(): Promise<boolean>
}

export function createTokenStore(store: Store, appid: string): TokenStore {
  const keys = appKeys(appid)
  const { redis } = store
  return {
    async read() {
      const [value, parameter, version, left, lifetime] = await runScript<string[]>(redis, {
        name: 'token-read',
        keys: [keys.token],
        args: [],
      })
      if (value === undefined || parameter === undefined) return null
      return { value, parameter, version: Number(version), leftMs: Number(left), lifetimeMs: Number(lifetime) }
    },
    async lock(ms) {
      const fence = String(await redis.incr(keys.tokenFence))
      if ((await redis.set(keys.tokenLock, fence, 'PX', ms, 'NX')) === null) return null
      return {
        async store(token, replaces) {
          const args = [token.value, token.parameter, token.lifetimeMs, replaces, fence]
          return (await runScript<number>(redis, { name: 'token-store', keys: [keys.token, keys.tokenLock], args })) > 0
        },
        async release() {
          await runScript(redis, { name: 'token-unlock', keys: [keys.tokenLock], args: [fence] })
        },
      }
    },
    async mayForce() {
      const args = [FORCE_INTERVAL_MS, FORCE_PER_DAY]
      const call = { name: 'token-force', keys: [keys.tokenForced, keys.tokenForcedCount], args } as const
      return (await runScript<number>(redis, call)) === 1
    },
  }
}
