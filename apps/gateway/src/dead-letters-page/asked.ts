/** What a handler of the page is asked, where, and what all of them answer with. */
import type { Outbox } from '@wechat-outbox/outbox'
import * as engine from '@wechat-outbox/outbox/engine'
import type { Logger } from '@wechat-outbox/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GatewayConfig } from '../env.ts'
import type { Problem } from '../problem.ts'
import type { RedisLink } from '../redis-link.ts'
import { guarded } from '../v1/read.ts'
import type { Html } from './html.ts'
import { chooseLanguage, type Language, TEXTS } from './language.ts'
import { type PageContext, renderPage } from './layout.ts'
import { hrefOf, type Place } from './links.ts'

export interface PageDeps {
  readonly config: GatewayConfig
  readonly link: RedisLink
  readonly outbox: Outbox
  readonly log: Logger
}

/** What a handler of the page is asked, and what it needs to answer. */
export interface Asked {
  readonly deps: PageDeps
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** A refusal that is shown as a page. */
export class PageProblem extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

/** What every page is rendered with. */
export function contextOf({ deps, request }: Asked, place: Place): PageContext {
  const { DASHBOARD_USER: user, DASHBOARD_SHOW_CONTENT: showContent } = deps.config
  const language = chooseLanguage(place.lang, request.headers['accept-language'])
  return { language, t: TEXTS[language], place, switchTo: switchOf(request, place), user, showContent }
}

/** The same page in another language. What a form has been sent to is no page. */
function switchOf(request: FastifyRequest, place: Place): (language: Language) => string {
  const url = request.method === 'GET' ? URL.parse(request.url, 'http://page.invalid') : null
  return (lang) => {
    if (url === null) return hrefOf('', { ...place, lang })
    url.searchParams.set('lang', lang)
    return url.pathname + url.search
  }
}

interface AtApp {
  readonly store: engine.Store
  readonly appid: string
  readonly apps: readonly string[]
  readonly context: PageContext
}

/**
 * With the app that is asked for, or the first one.
 * @throws PageProblem for one that is not known, OutboxError WXO_UNAVAILABLE while Redis is away
 */
export async function withApp(
  asked: Asked,
  { app, lang }: { readonly app?: string | undefined; readonly lang?: Language | undefined },
  then: (at: AtApp) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { deps, reply } = asked
  const { store, apps } = await guarded(async () => {
    const opened = await deps.link.store()
    return { store: opened, apps: await engine.readKnownApps(opened, deps.config.WECHAT_APP_ID) }
  })
  const appid = app ?? apps[0]
  const context = contextOf(asked, { appid, lang })
  if (appid === undefined) return send(reply, renderPage(context, { title: context.t.title, body: context.t.app.none }))
  if (!apps.includes(appid)) throw new PageProblem(UNKNOWN_APP)
  return then({ store, appid, apps, context })
}

export function send(reply: FastifyReply, page: Html): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(page.toString())
}

const UNKNOWN_APP = { status: 404, code: 'unknown-app', detail: 'No worker has ever served this app.' } as const
export const UNKNOWN_TASK = { status: 404, code: 'unknown-task', detail: 'There is no such task.' } as const

/** @throws PageProblem where nothing is ticked */
export function tickedOf(id: readonly string[] | undefined, t: PageContext['t']): string[] {
  if (id !== undefined) return [...new Set(id)]
  const errors = [{ path: 'id', message: t.tickOneFirst }]
  throw new PageProblem({ status: 400, code: 'WXO_INVALID', detail: t.tickOneFirst, errors })
}
