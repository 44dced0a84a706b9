/**
 * The connections of one command: opened when first needed, closed when it ends, however it ends. With everything
 * closed the process ends by itself.
 */
import { Outbox, OutboxError } from '@wechat-outbox/outbox'
import {
  connectRedis,
  messageOf,
  openStore,
  type RedisClient,
  type Store,
  storeError,
  whenReady,
} from '@wechat-outbox/outbox/engine'
import type { Environment } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import { type CliEnv, readCliEnv } from './env.ts'
import type { Output } from './output.ts'

/** With the process's own start this keeps a command under some two seconds while Redis is away. */
const READY_WAIT_MS = 1200
const RETRY_MS = 100

export interface Session {
  readonly output: Output
  /** @throws ConfigError */
  env(): CliEnv
  /** @throws OutboxError WXO_UNAVAILABLE, with what the connection said */
  store(): Promise<Store>
  /** Opened once Redis answers, so that a Redis that is away is reported as everywhere else. */
  outbox(): Promise<Outbox>
  close(): Promise<void>
}

export function createSession(environment: Environment, output: Output): Session {
  const closers: (() => Promise<void>)[] = []
  let read: CliEnv | undefined
  let shared: Promise<Store> | undefined
  const env = (): CliEnv => (read ??= readCliEnv(environment))
  const open = async (): Promise<Store> => {
    const client = connectRedis(env().REDIS_URL, 'operate')
    const retryStrategy = (): number => RETRY_MS
    Object.assign(client.options, client.isCluster ? { clusterRetryStrategy: retryStrategy } : { retryStrategy })
    closers.push(() => closeClient(client))
    const opened = await openStore(await ready(client, env().REDIS_URL))
    // What is said of times and of reply windows goes by Redis's clock.
    await stored(opened.clock.measure())
    return opened
  }
  const store = (): Promise<Store> => (shared ??= open())
  return {
    output,
    env,
    store,
    async outbox() {
      await store()
      const { REDIS_URL: redis, IDEMPOTENCY_TTL_HOURS: idempotencyTtlHours } = env()
      const { TEXT_BYTES_MAX: textBytesMax, TEXT_SPLIT: textSplit } = env()
      const outbox = new Outbox({ redis, idempotencyTtlHours, textBytesMax, textSplit })
      closers.push(() => outbox.close())
      return outbox
    },
    async close() {
      await Promise.allSettled(closers.map((close) => close()))
    },
  }
}

/** "Not available" alone does not distinguish a wrong port from a silent server, so the connection's own words are added. */
async function ready(client: RedisClient, url: string): Promise<RedisClient> {
  try {
    await whenReady(client, READY_WAIT_MS)
    return client
  } catch (error) {
    if (!(error instanceof OutboxError)) throw error
    const why = error.cause === undefined ? `no answer within ${READY_WAIT_MS} ms` : messageOf(error.cause)
    throw new OutboxError(error.code, `${error.message}: ${why}${hintOf(error.cause, url)}`, { cause: error })
  }
}

const RESTARTED =
  '. Is it the Redis of `start`? That draws a new port and password at each start: set REDIS_URL again, as it prints'

/** Nobody listens on this machine's own port: most likely what was exported is from an earlier start. */
function hintOf(cause: unknown, url: string): string {
  const isRefused = cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
  return isRefused && URL.canParse(url) && isLoopback(new URL(url).hostname) ? RESTARTED : ''
}

async function closeClient(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return void (await client.quit().catch(() => client.disconnect()))
  client.disconnect()
}

/** The error for a Redis that fails, with the reason. @throws OutboxError */
export async function stored<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw storeError(error)
  }
}
