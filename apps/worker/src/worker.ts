/** The composition root: only here do the store, WeChat's side and the policy meet. */
import {
  type Consumer,
  connectRedis,
  createConsumer,
  createJudge,
  createTokenStore,
  lazyStore,
  openStore,
  type RedisClient,
  readRedisHealth,
  redisProblems,
  type Store,
} from '@wechat-outbox/outbox'
import { expiryReason, stalledReason } from '@wechat-outbox/policy'
import { addBacklogMetrics, createRegistry, type Logger } from '@wechat-outbox/runtime'
import { createWechatClient, type WechatClient } from '@wechat-outbox/wechat'
import type { AppConfig } from './apps.ts'
import { deliver } from './deliver.ts'
import type { WorkerConfig } from './env.ts'
import { startHealthServer } from './health.ts'
import { createWorkerMetrics, type WorkerMetrics } from './metrics.ts'
import { createRecorder } from './record.ts'
import { createTokens } from './tokens.ts'

export interface RunningWorker {
  /** Where health is answered. */
  readonly url: string
  /** Rejects when an app's work waits and none is fetched any more. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

const HOUR_MS = 3_600_000
/** What settling and closing connections may take after the calls have ended. */
const CLOSE_GRACE_MS = 5000

export async function startWorker(config: WorkerConfig, log: Logger): Promise<RunningWorker> {
  const redis = connect(config, log)
  const watching = lazyStore(config.REDIS_URL)
  const registry = createRegistry()
  const metrics = createWorkerMetrics(registry)
  const health = await startHealthServer({ redis, registry, host: config.WORKER_HOST, port: config.WORKER_PORT })
  const opening = openStore(redis)
  addBacklogMetrics(registry, { store: () => opening, apps: async () => config.apps.map(({ appid }) => appid) })
  const store = await opening
  await warnAboutRedis(redis, log)
  const shared = { config, log, store, metrics, judge: createJudge(() => watching.open()) }
  const client = metrics.countingTokens(
    createWechatClient({
      baseUrl: config.WECHAT_API_BASE_URL,
      connections: Math.max(...config.apps.map((app) => app.concurrency ?? config.WORKER_CONCURRENCY)) + 2,
      timeoutMs: config.SEND_TIMEOUT_MS,
    }),
  )
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  // Whoever runs the worker may listen; nobody has to.
  failed.catch(() => undefined)
  const stuck = (appid: string): void => fail(new Error(`work waits for ${appid}, and none is fetched`))
  const consumers = config.apps.map((app) => createAppConsumer(app, { ...shared, client, stuck }))
  await Promise.all(consumers.map((consumer) => consumer.run()))
  log.info({ event: 'worker.started', apps: config.apps.map(({ appid }) => appid), url: health.url })
  return {
    url: health.url,
    failed,
    async close() {
      await endWithin(closeAll(consumers, client, config), config.SHUTDOWN_TIMEOUT_MS + CLOSE_GRACE_MS)
      await health.close()
      redis.disconnect()
      await watching.close()
    },
  }
}

/** Redis may be away at the start, and go away at any time: the connection waits, and says so once per failure. */
function connect(config: WorkerConfig, log: Logger): RedisClient {
  const redis = connectRedis(config.REDIS_URL, 'work')
  redis.on('error', (error) => log.error({ event: 'redis.error', err: error }))
  return redis
}

async function warnAboutRedis(redis: RedisClient, log: Logger): Promise<void> {
  for (const problem of redisProblems(await readRedisHealth(redis))) log.error({ event: 'redis.unsafe', problem })
}

interface Shared {
  readonly config: WorkerConfig
  readonly log: Logger
  readonly store: Store
  readonly metrics: WorkerMetrics
  readonly judge: ReturnType<typeof createJudge>
  readonly client: WechatClient
  readonly stuck: (appid: string) => void
}

function createAppConsumer(app: AppConfig, { config, log, store, metrics, judge, client, stuck }: Shared): Consumer {
  const { appid, secret, token = { type: 'stable' as const } } = app
  const recorder = createRecorder(log, appid, metrics.forApp(appid))
  const tokens = createTokens({
    appid,
    secret,
    kind: token.type,
    store: createTokenStore(store, appid),
    client,
    log,
    fetchTimeoutMs: config.SEND_TIMEOUT_MS,
  })
  const delivery = {
    tokens,
    client,
    recorder,
    triesMax: config.RETRY_ATTEMPTS_MAX,
    backoffMs: config.RETRY_BACKOFF_MS,
    backoffMsMax: config.RETRY_BACKOFF_MS_MAX,
    sendTimeoutMs: config.SEND_TIMEOUT_MS,
    leaseMs: config.STALLED_AFTER_MS,
    probeEveryMs: config.PROBE_EVERY_MS,
  }
  return createConsumer({
    appid,
    store,
    judge,
    deliver: (run) => deliver(run, delivery),
    explainFailure: stalledReason,
    explainExpiry: expiryReason,
    probeToken: async () => (await tokens.probe()).kind === 'token',
    report: { ...recorder, stuck: () => stuck(appid) },
    concurrency: app.concurrency ?? config.WORKER_CONCURRENCY,
    maxPerSecond: app.maxPerSecond,
    stalledAfterMs: config.STALLED_AFTER_MS,
    retain: {
      deliveredMs: config.RETAIN_DELIVERED_HOURS * HOUR_MS,
      deliveredMax: config.RETAIN_DELIVERED_MAX,
      deadMs: config.RETAIN_DEAD_DAYS * 24 * HOUR_MS,
    },
    rememberMs: config.IDEMPOTENCY_TTL_HOURS * HOUR_MS,
    replayPerSecond: config.REPLAY_MAX_PER_SECOND,
  })
}

async function closeAll(consumers: readonly Consumer[], client: WechatClient, config: WorkerConfig): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.close(config.SHUTDOWN_TIMEOUT_MS)))
  await client.close()
}

/** Redis may be away while a worker ends; what it could not settle the next one takes over. */
async function endWithin(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
