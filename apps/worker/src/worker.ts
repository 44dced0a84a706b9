/** The composition root: only here do the store, WeChat's side and the policy meet. */
import {
  type Consumer,
  connectRedis,
  createConsumer,
  createMediaStore,
  createNews,
  messageOf,
  type News,
  openStore,
  type RedisClient,
  readRedisHealth,
  redisProblems,
  redisUnknowns,
  type SharedWait,
  type Store,
  sharedWaitFor,
  whenReady,
  within,
} from '@wechat-outbox/outbox/engine'
import { expiryReason, failedElsewhereReason, unansweredReason } from '@wechat-outbox/policy'
import {
  addBacklogMetrics,
  ConfigError,
  createRegistry,
  createSeldom,
  type Logger,
  openTracing,
  proxyOf,
  readHostnames,
  type Tracing,
} from '@wechat-outbox/runtime'
import { type AppConfig, createWechatClient, type WechatClient } from '@wechat-outbox/wechat'
import { type AppSet, createAppSet, type ServedApp } from './app-set.ts'
import { createAppTokens } from './app-tokens.ts'
import { createReceiver, type OpenReceiver } from './callbacks/receiver.ts'
import { recordCallbacks } from './callbacks/record.ts'
import { deliver } from './deliver.ts'
import { rereadApps, type WorkerConfig } from './env.ts'
import { startHealthServer } from './health.ts'
import { type AppMetrics, createWorkerMetrics, type WorkerMetrics } from './metrics.ts'
import { createPictureCalls, type PictureCalls } from './picture-calls.ts'
import { createPictures, type Pictures } from './pictures.ts'
import { createRecorder } from './record.ts'
import { createRunTraces } from './run-traces.ts'
import { startAgain } from './start-again.ts'
import type { Tokens } from './tokens.ts'

export interface RunningWorker {
  /** Where health is answered. */
  readonly url: string
  /** Rejects when an app's work waits and none is fetched any more. */
  readonly failed: Promise<never>
  /** Reads the apps again and serves those; the environment itself stays as it was at the start. */
  reload(): Promise<void>
  /** Lets calls in flight end, within SHUTDOWN_TIMEOUT_MS; once `cut` is aborted, they are broken off and recorded as such. */
  close(cut?: AbortSignal): Promise<void>
}

const HOUR_MS = 3_600_000
/** What settling and closing connections may take after the calls have ended. */
const CLOSE_GRACE_MS = 5000
/** Apps that fetch a token at the same moment; more of them wait for a connection. */
const TOKEN_CONNECTIONS = 32

export async function startWorker(config: WorkerConfig, log: Logger): Promise<RunningWorker> {
  const seldom = createSeldom()
  const connect = (): RedisClient => {
    const client = connectRedis(config.REDIS_URL, 'work')
    client.on('error', (err) => seldom(messageOf(err), (times) => log.error({ event: 'redis.error', err, times })))
    return client
  }
  // Redis may be away at the start, and go away at any time: the connection waits, and says so.
  const redis = connect()
  const registry = createRegistry()
  const metrics = createWorkerMetrics(registry)
  let running = false
  let apps: AppSet | undefined
  const { WORKER_HOST: host, WORKER_PORT: port, WORKER_ALLOWED_HOSTS: allowedHosts } = config
  const health = await startHealthServer({
    redis,
    registry,
    isRunning: () => running,
    refused: () => apps?.trouble()?.pending,
    host,
    port,
    allowedHosts,
  })
  const opening = whenReady(redis).then(() => openStore(redis))
  addBacklogMetrics(registry, { store: () => opening, apps: async () => apps?.appids() ?? [] })
  const store = await opening
  await warnAboutRedis(redis, log)
  await warnAboutClock(store, log)
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  // Whoever runs the worker may listen; nobody has to.
  failed.catch(() => undefined)
  const stuck = (appid: string): void => fail(new Error(`work waits for ${appid}, and none is fetched`))
  const sharedWait = sharedWaitFor(redis, store.clock)
  const news = createNews(connect())
  const tokenClient = createWechatClient({ ...whereWechatIs(config), connections: TOKEN_CONNECTIONS })
  const pictureCalls = createPictureCalls(config)
  const tracing = await openTracing(config, { log, service: 'wechat-outbox-worker' })
  const cutShort = new AbortController()
  const common = { config, log, store, metrics, sharedWait, news, tokenClient, pictureCalls, stuck, tracing }
  const shared = { ...common, cut: cutShort.signal }
  const serving = createAppSet((app) => {
    const onFailed = (err: unknown): void => log.error({ event: 'app.not-started', appid: app.appid, err })
    return startAgain(() => serveApp(app, shared), { onFailed })
  })
  apps = serving
  await serving.become(config.apps)
  running = true
  log.info({ event: 'worker.started', apps: config.apps.map(({ appid }) => appid), url: health.url })
  return {
    url: health.url,
    failed,
    reload: () => reloadApps(serving, config, log),
    async close(cut) {
      running = false
      cut?.addEventListener('abort', () => cutShort.abort())
      if (cut?.aborted) cutShort.abort()
      // Redis may be away while a worker ends; what it could not settle the next one takes over.
      await within(serving.close(), config.SHUTDOWN_TIMEOUT_MS + CLOSE_GRACE_MS, undefined)
      await Promise.all([tokenClient.close(), pictureCalls.close(), tracing?.close()])
      news.close()
      await health.close()
      sharedWait?.close()
      redis.disconnect()
    },
  }
}

/** A file that cannot be used is refused as a whole, and everything stays as it was. */
async function reloadApps(apps: AppSet, config: WorkerConfig, log: Logger): Promise<void> {
  let wanted: AppConfig[]
  try {
    wanted = rereadApps(config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log.error({ event: 'apps.refused', problems: error.problems })
    return
  }
  log.info({ event: 'apps.changed', ...(await apps.become(wanted)) })
}

async function warnAboutRedis(redis: RedisClient, log: Logger): Promise<void> {
  const health = await readRedisHealth(redis)
  for (const problem of redisProblems(health)) log.error({ event: 'redis.unsafe', problem })
  for (const unknown of redisUnknowns(health)) log.warn({ event: 'redis.unjudged', unknown })
}

const CLOCK_AHEAD_MS_MAX = 3000

/** Times are judged by Redis's clock, so nothing is sent too early; but log lines of this machine are off. */
async function warnAboutClock({ clock }: Store, log: Logger): Promise<void> {
  await clock.measure()
  const aheadMs = clock.aheadMs()
  if (Math.abs(aheadMs) <= CLOCK_AHEAD_MS_MAX) return
  log.warn({
    event: 'clock.skewed',
    aheadMs,
    hint: 'the clock of this machine differs from that of Redis, which counts',
  })
}

interface Shared {
  readonly config: WorkerConfig
  readonly log: Logger
  readonly store: Store
  readonly metrics: WorkerMetrics
  readonly sharedWait: SharedWait | undefined
  readonly news: News
  /** Asks for tokens, on connections of their own: behind sends that hang, a fetch would time out without being made. */
  readonly tokenClient: WechatClient
  readonly pictureCalls: PictureCalls
  readonly stuck: (appid: string) => void
  readonly tracing: Tracing | undefined
  /** Aborted when the process cannot wait for calls any more, be it of an app that was leaving already. */
  readonly cut: AbortSignal
}

/** One app with everything of its own: queues, connections to WeChat, token, limits. */
function serveApp(app: AppConfig, shared: Shared): ServedApp {
  const { config } = shared
  const concurrency = app.concurrency ?? config.WORKER_CONCURRENCY
  const client = createWechatClient({ ...whereWechatIs(config), connections: concurrency })
  const counts = shared.metrics.forApp(app.appid)
  const tokens = createAppTokens(app, { ...shared, onRefresh: counts.refreshed })
  const pictures = createPictures({
    ...shared.pictureCalls,
    appid: app.appid,
    media: createMediaStore(shared.store, app.appid),
    tokens,
    log: shared.log,
    onUpload: counts.uploaded,
  })
  const receiver = receiverOf(app, shared, counts)
  const consumer = createAppConsumer(app, { ...shared, client, tokens, pictures, counts, concurrency, receiver })
  return {
    run: () => consumer.run(),
    trouble: () => consumer.trouble(),
    async close() {
      await consumer.close(config.SHUTDOWN_TIMEOUT_MS, shared.cut)
      pictures.close()
      tokens.close()
      await Promise.all([client.close(), receiver?.close()])
    },
  }
}

/** Who is told of the app's outcomes, if anybody. */
function receiverOf(
  { appid, callback }: AppConfig,
  { config, log, store }: Shared,
  counts: AppMetrics,
): OpenReceiver | undefined {
  if (callback === undefined) return undefined
  return createReceiver({
    callback,
    allowedHosts: readHostnames(config.CALLBACK_ALLOWED_HOSTS) ?? [],
    proxy: proxyOf(config),
    now: () => store.clock.now(),
    report: recordCallbacks(log, appid, counts),
  })
}

const whereWechatIs = (config: WorkerConfig) => ({
  baseUrl: config.WECHAT_API_BASE_URL,
  allowHttp: config.WECHAT_ALLOW_HTTP,
  timeoutMs: config.SEND_TIMEOUT_MS,
  proxy: proxyOf(config),
})

interface AppShared extends Shared {
  readonly client: WechatClient
  readonly tokens: Tokens
  readonly pictures: Pictures
  readonly counts: AppMetrics
  readonly concurrency: number
  readonly receiver: OpenReceiver | undefined
}

function createAppConsumer({ appid, maxPerSecond, onClosed }: AppConfig, options: AppShared): Consumer {
  const { config, log, store, counts, sharedWait, client, tokens, pictures, concurrency, stuck, tracing } = options
  const recorder = createRecorder(log, appid, counts)
  const isHeld = (onClosed ?? config.ON_CLOSED) === 'hold'
  const closedRule = {
    onClosed: isHeld ? 'hold' : 'dead-letter',
    holdMaxMs: config.HOLD_MAX_DAYS * 24 * HOUR_MS,
  } as const
  const delivery = {
    tokens,
    pictures,
    client,
    recorder,
    triesMax: config.RETRY_ATTEMPTS_MAX,
    backoffMs: config.RETRY_BACKOFF_MS,
    backoffMsMax: config.RETRY_BACKOFF_MS_MAX,
    sendTimeoutMs: config.SEND_TIMEOUT_MS,
    leaseMs: config.STALLED_AFTER_MS,
    probeEveryMs: config.PROBE_EVERY_MS,
    onClosed: closedRule.onClosed,
  }
  const traces = tracing && createRunTraces(tracing, { appid, wechatUrl: config.WECHAT_API_BASE_URL })
  return createConsumer({
    appid,
    store,
    sharedWait,
    deliver: traces
      ? async (run) => deliver(run, { ...delivery, recorder: traces.begin(run, recorder) })
      : (run) => deliver(run, delivery),
    onSettled: traces && ((...settled) => traces.settled(...settled)),
    explainFailure: failedElsewhereReason,
    explainExpiry: (last, of) => (of === 'expired' ? expiryReason(last) : unansweredReason(last)),
    closedRule,
    receiver: options.receiver,
    isReady: () => tokens.isReady(),
    probeToken: async () => (await tokens.probe()).kind === 'token',
    report: { ...recorder, stuck: () => stuck(appid) },
    concurrency,
    maxPerSecond,
    stalledAfterMs: config.STALLED_AFTER_MS,
    retain: {
      deliveredMs: config.RETAIN_DELIVERED_HOURS * HOUR_MS,
      deliveredMax: config.RETAIN_DELIVERED_MAX,
      deadMs: config.RETAIN_DEAD_DAYS * 24 * HOUR_MS,
      content: config.RETAIN_CONTENT,
      deadContentMs: (config.RETAIN_DEAD_CONTENT_DAYS ?? config.RETAIN_DEAD_DAYS) * 24 * HOUR_MS,
    },
    rememberMs: config.IDEMPOTENCY_TTL_HOURS * HOUR_MS,
    replayPerSecond: config.REPLAY_MAX_PER_SECOND,
  })
}
