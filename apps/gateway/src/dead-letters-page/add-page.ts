/**
 * `/dead-letters`: the page that an operator opens first. It is rendered here, reads and writes without JavaScript, and keeps its state in
 * its addresses. Whoever asks has passed the hooks of the scope: the sign-in and the rules against other web sites.
 */
import { parse } from 'node:querystring'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { logFailure, NOT_FOUND, type Problem, problemOf, setRetryAfter } from '../problem.ts'
import { type Asked, contextOf, type PageDeps, PageProblem } from './asked.ts'
import type { Language } from './language.ts'
import { renderProblem } from './layout.ts'
import { hrefOf, type Place } from './links.ts'
import { showLetter, showOverview, showPreflight, showTask, showTasks } from './reads.ts'
import { cancelTask, startTask } from './writes.ts'

const FORM_BYTES_MAX = 65_536

/**
 * Styles and scripts are files of this server and nothing else; a page elsewhere may not frame it. The referrer stays within the site: without
 * one a browser sends forms from `null`, and they could not be told from another site's.
 */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join(';'),
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
  vary: 'accept-language',
}

/** Adds the routes to a scope whose prefix is the page's path. */
export function addDeadLettersPage(scope: FastifyInstance, deps: PageDeps): void {
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.headers(HEADERS)
    done()
  })
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: FORM_BYTES_MAX },
    (_request, body, done) => done(null, parse(String(body))),
  )
  scope.setErrorHandler((error: unknown, request, reply) => {
    const problem = error instanceof PageProblem ? error.problem : problemOf(error)
    logFailure(deps.log, request, { problem, error })
    return sendPageProblem({ deps, request, reply }, problem)
  })
  scope.setNotFoundHandler((request, reply) => sendPageProblem({ deps, request, reply }, NOT_FOUND))
  const handle = (show: (asked: Asked) => Promise<FastifyReply>) => (request: FastifyRequest, reply: FastifyReply) =>
    show({ deps, request, reply })
  scope.get('/', handle(showOverview))
  scope.get('/letters/:id', handle(showLetter))
  scope.get('/preflight', handle(showPreflight))
  scope.get('/tasks', handle(showTasks))
  scope.get('/tasks/:id', handle(showTask))
  scope.post('/tasks', handle(startTask))
  scope.post('/tasks/:id/cancel', handle(cancelTask))
}

function sendPageProblem(asked: Asked, problem: Problem): FastifyReply {
  const { request, reply } = asked
  const given = { ...(request.query as object), ...(request.body as object) } as Readonly<Record<string, unknown>>
  const lang = given['lang'] === 'en' || given['lang'] === 'zh' ? given['lang'] : undefined
  const appid = typeof given['app'] === 'string' && /^wx[0-9a-f]{16}$/.test(given['app']) ? given['app'] : undefined
  const place: Place = { appid: problem.code === 'unknown-app' ? undefined : appid, lang }
  // The other language's link repeats what is known to be sound: an address may hold a secret by mistake.
  const switchTo = (other: Language): string => hrefOf('', { ...place, lang: other })
  const context = { ...contextOf(asked, place), switchTo }
  const texts: Readonly<Partial<Record<Problem['code'], string>>> = context.t.problems
  const detail = texts[problem.code] ?? problem.detail
  setRetryAfter(reply, problem)
  // The sign-in refuses before the scope's own hook has set them.
  reply.headers(HEADERS)
  const page = renderProblem(context, { title: context.t.problem, detail, problems: problem.errors ?? [] })
  return reply.code(problem.status).type('text/html; charset=utf-8').send(page.toString())
}
