/**
 * What is behind the sign-in: the operator's page at `/dead-letters`, and at `/dashboard` Bull Board for reading, and the few writes.
 * Every path below them is behind the same hooks, unknown ones included: they hang on the scopes and not on a path that could be
 * written differently. Pages of other sites do not come as far as here.
 */
import basicAuth from '@fastify/basic-auth'
import type { Outbox } from '@wechat-outbox/outbox'
import { isRead, type Logger } from '@wechat-outbox/runtime'
import { isLoopback } from '@wechat-outbox/wechat'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { watchApps } from './apps-watch.ts'
import { type Board, createBoard, DASHBOARD_PATH } from './board.ts'
import { addBoardPage } from './board-page.ts'
import { addBoardWrites } from './board-writes.ts'
import { addDeadLettersPage } from './dead-letters-page/add-page.ts'
import { DEAD_LETTERS_PATH } from './dead-letters-page/links.ts'
import type { GatewayConfig } from './env.ts'
import { NOT_FOUND, type Problem, sendProblem } from './problem.ts'
import type { RedisLink } from './redis-link.ts'
import { createSignIn } from './sign-in.ts'
import { serveFromMemory } from './static-files.ts'

export interface Dashboard {
  stop(): void
}

export interface DashboardOptions {
  readonly config: GatewayConfig
  readonly link: RedisLink
  readonly outbox: Outbox
  readonly log: Logger
}

export async function addDashboard(app: FastifyInstance, options: DashboardOptions): Promise<Dashboard> {
  const { config, link, log } = options
  if (!hasSignIn(config) && !isLoopback(config.GATEWAY_HOST)) return addClosedDashboard(app, log)
  const board = createBoard({ showContent: config.DASHBOARD_SHOW_CONTENT })
  await app.register(async (scope) => {
    await addSignInHook(scope, config, log)
    await scope.register((inner) => addBoard(inner, options, board), { prefix: DASHBOARD_PATH })
    await scope.register(async (inner) => addDeadLettersPage(inner, options), { prefix: DEAD_LETTERS_PATH })
  })
  return watchApps({ link, board, appid: config.WECHAT_APP_ID, log })
}

async function addBoard(scope: FastifyInstance, { config, link, log }: DashboardOptions, board: Board): Promise<void> {
  scope.addHook('onRequest', async (request, reply) => {
    if (!request.routeOptions.url?.includes('/static/')) reply.header('cache-control', 'no-store')
  })
  // No route here reads a body; one that is sent anyway is small and thrown away.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: 65_536 }, (_request, _body, done) =>
    done(null, undefined),
  )
  addBoardPage(scope)
  addBoardWrites(scope, { link, log, userOf: () => config.DASHBOARD_USER ?? 'anonymous' })
  scope.addHook('preHandler', async (request) => {
    // Writes ask for Redis themselves, so that one that fails stands in the log.
    if (isRead(request.method) && request.routeOptions.url?.startsWith(`${DASHBOARD_PATH}/api/`)) await link.store()
  })
  scope.setNotFoundHandler((_request, reply) => sendProblem(reply, NOT_FOUND))
  serveFromMemory(scope, `${DASHBOARD_PATH}/static/*`, board.staticDir)
  await scope.register(board.server.registerPlugin())
}

function hasSignIn(config: GatewayConfig): boolean {
  return config.DASHBOARD_USER !== undefined && config.DASHBOARD_PASSWORD !== undefined
}

async function addSignInHook(scope: FastifyInstance, config: GatewayConfig, log: Logger): Promise<void> {
  const { DASHBOARD_USER: user, DASHBOARD_PASSWORD: password } = config
  if (user === undefined || password === undefined) return
  const signIn = createSignIn({ user, password, log })
  await scope.register(basicAuth, {
    authenticate: { realm: 'wechat-outbox' },
    async validate(...[givenUser, givenPassword, request, reply]: [string, string, FastifyRequest, FastifyReply]) {
      const result = signIn({ user: givenUser, password: givenPassword, address: request.ip })
      if (result.kind === 'in') return
      if (result.kind === 'wait') reply.header('retry-after', String(Math.ceil(result.ms / 1000)))
      throw Object.assign(new Error('sign-in refused'), { statusCode: result.kind === 'wait' ? 429 : 401 })
    },
  })
  scope.addHook('onRequest', scope.basicAuth)
}

/** On a host that others reach, a dashboard without a sign-in would be everybody's. */
function addClosedDashboard(app: FastifyInstance, log: Logger): Dashboard {
  log.warn({ event: 'dashboard.off', reason: CLOSED.detail })
  const handler = (_request: FastifyRequest, reply: FastifyReply): FastifyReply => sendProblem(reply, CLOSED)
  for (const path of [DASHBOARD_PATH, DEAD_LETTERS_PATH]) {
    for (const url of [path, `${path}/*`]) app.all(url, handler)
  }
  return { stop: () => undefined }
}

const CLOSED: Problem = {
  status: 403,
  code: 'dashboard-off',
  detail: 'The dashboard is off: on any host but loopback it needs DASHBOARD_USER and DASHBOARD_PASSWORD.',
}
