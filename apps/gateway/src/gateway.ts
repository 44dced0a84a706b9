/** The gateway: one HTTP server with the API, WeChat’s own interface, health and the dashboard, over one connection to Redis. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { sendRequestSchema } from '@wechat-outbox/messages'
import { Outbox, OutboxError, type OutboxLink } from '@wechat-outbox/outbox'
import { type Store, whenReady, within } from '@wechat-outbox/outbox/engine'
import { type Logger, openTracing, proxyOf, type Tracing } from '@wechat-outbox/runtime'
import { type FastifyInstance, fastify } from 'fastify'
import helmet from 'helmet'
import { createAccess } from './access.ts'
import { addDashboard } from './dashboard.ts'
import { addRootPage } from './dead-letters-page/root-page.ts'
import { addEntrance } from './entrance/entrance.ts'
import { createWechatTokens } from './entrance/wechat-token.ts'
import type { GatewayConfig } from './env.ts'
import { addHealthRoutes } from './health.ts'
import { openKeyRing } from './key-ring.ts'
import { createKnownApps } from './known-apps.ts'
import { addMetrics } from './metrics.ts'
import { answerErrors } from './problem.ts'
import { addPush } from './push/add-push.ts'
import { openRedisLink } from './redis-link.ts'
import { REQUEST_MS_MAX, refuseEarly } from './refuse-early.ts'
import { routeTemplate } from './route-template.ts'
import { addSameSiteGuard } from './same-site.ts'
import { telemetryOf } from './telemetry.ts'
import { addV1 } from './v1/add-v1.ts'
import { createMediaUploads } from './v1/media.ts'

const FIRST_REDIS_WAIT_MS = 1000

export interface RunningGateway {
  /** With the port that was really taken. */
  readonly url: string
  /** Lets requests in flight end, within SHUTDOWN_TIMEOUT_MS or until `cut` is aborted. May be called twice. */
  close(cut?: AbortSignal): Promise<void>
}

/**
 * Starts the gateway. It starts without Redis, too: then `/readyz` and the dashboard answer 503 until it comes.
 * @throws ConfigError when the keys cannot be used, and when the address cannot be listened on
 */
export async function startGateway(config: GatewayConfig, log: Logger): Promise<RunningGateway> {
  const ring = openKeyRing(config, log)
  const link = openRedisLink(config.REDIS_URL, log)
  const texts = { bytesMax: config.TEXT_BYTES_MAX, isSplit: config.TEXT_SPLIT }
  const store = (): Promise<Store> => link.store()
  const tracing = await openTracing(config, { log, service: 'wechat-outbox-gateway' })
  // The one connection serves all: what an Outbox does and what it does not.
  const outbox = openOutbox(config, { link: { open: store }, tracing })
  // So that the first page a person opens has its queues. Without Redis there is nothing to wait for; with settings that no Redis accepts, there never will be.
  await whenReady(link.redis, FIRST_REDIS_WAIT_MS).catch(async (error: unknown) => {
    if (!(error instanceof OutboxError && error.code === 'WXO_CONFIG')) return
    ring.close()
    await link.close()
    throw error
  })
  const app = fastify({
    ...refuseEarly,
    logger: false,
    bodyLimit: 65_536,
    // A browser keeps connections open that would hold the end of the process up.
    forceCloseConnections: 'idle',
  })
  app.addHook('onRoute', (route) => {
    // fastify's timer ends with the body of a request. Where there is one (such routes name its limit), it would keep nobody
    // from waiting, and cost a fifteenth of what storing a message takes; what is waited for there has limits of its own.
    if (route.bodyLimit === undefined) route.handlerTimeout ??= REQUEST_MS_MAX
  })
  let dashboard = { stop: (): void => undefined }
  const end = async (cut?: AbortSignal): Promise<void> => {
    dashboard.stop()
    ring.close()
    await closeServer(app, config.SHUTDOWN_TIMEOUT_MS, cut)
    await outbox.close()
    await Promise.all([link.close(), tracing?.close()])
  }
  try {
    logRequests(app, log)
    answerErrors(app, log)
    addSecurityHeaders(app)
    addSameSiteGuard(app, { host: config.GATEWAY_HOST, allowedHosts: config.GATEWAY_ALLOWED_HOSTS })
    app.decorateRequest('caller')
    const access = createAccess(ring, log)
    const registry = addMetrics(app, { config, link, access })
    addHealthRoutes(app, link)
    const knownApps = createKnownApps({
      store,
      configured: config.WECHAT_APP_ID,
      allowUnknown: config.ALLOW_UNKNOWN_APPS,
    })
    const { WECHAT_API_BASE_URL: wechatBaseUrl, WECHAT_ALLOW_HTTP: allowHttp } = config
    const wechat = { wechatBaseUrl, allowHttp, proxy: proxyOf(config) }
    const tokens = createWechatTokens()
    await addEntrance(app, { link, outbox, texts, access, log, knownApps, tokens, ...wechat })
    const schema = sendRequestSchema(texts)
    const media = createMediaUploads(app, { ...wechat, bytesMax: config.MEDIA_BYTES_MAX, tokens, log })
    const rememberMs = config.IDEMPOTENCY_TTL_HOURS * 3_600_000
    await addV1(app, { outbox, schema, store, access, knownApps, media, rememberMs })
    await addPush(app, { config, outbox, registry, log })
    addRootPage(app)
    dashboard = await addDashboard(app, { config, link, outbox, log })
    const url = await app.listen({ host: config.GATEWAY_HOST, port: config.GATEWAY_PORT })
    log.info({ event: 'gateway.listening', url })
    let ended: Promise<void> | undefined
    return { url, close: (cut) => (ended ??= end(cut)) }
  } catch (error) {
    await end()
    throw error
  }
}

function openOutbox(
  config: GatewayConfig,
  { link, tracing }: { readonly link: OutboxLink; readonly tracing: Tracing | undefined },
): Outbox {
  const { WINDOW_MESSAGE: message, WINDOW_ENTER: enter } = config
  return new Outbox({
    redis: link,
    idempotencyTtlHours: config.IDEMPOTENCY_TTL_HOURS,
    textBytesMax: config.TEXT_BYTES_MAX,
    textSplit: config.TEXT_SPLIT,
    onClosed: config.ON_CLOSED,
    windows: { message, enter },
    telemetry: tracing && telemetryOf(tracing),
  })
}

async function closeServer(app: FastifyInstance, timeoutMs: number, cut?: AbortSignal): Promise<void> {
  const closed = app.close()
  const abort = (): void => app.server.closeAllConnections()
  cut?.addEventListener('abort', abort)
  if (cut?.aborted) abort()
  if ((await within(closed, timeoutMs, 'late')) === 'late') abort()
  await closed
}

/** One line per request with the route's template: addresses may carry tokens and ids. Successful reads only on debug. */
function logRequests(app: FastifyInstance, log: Logger): void {
  app.addHook('onResponse', async (request, reply) => {
    const quiet = reply.statusCode < 400 && (request.method === 'GET' || request.method === 'HEAD')
    log[quiet ? 'debug' : 'info']({
      event: 'http.answered',
      method: request.method,
      route: routeTemplate(request),
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      key: request.caller?.id,
    })
  })
}

/**
 * The page loads from here alone. Bull Board and its pop-ups set styles inline; scripts never. The headers are the same for
 * every answer, and made once: made for each, they took a tenth of the CPU of storing a message.
 */
function addSecurityHeaders(app: FastifyInstance): void {
  const answer = new ServerResponse(new IncomingMessage(new Socket()))
  const secure = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
    // TLS ends in front of the gateway, and whoever ends it decides about this.
    hsts: false,
  })
  secure(answer.req, answer, () => undefined)
  const headers = { ...answer.getHeaders() }
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers)
    done()
  })
}
