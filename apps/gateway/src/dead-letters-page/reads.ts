/** The pages that show something. */
import { deadLetterIdOf, isDeadLetterId, isMessageId, isTaskId } from '@wechat-outbox/messages'
import * as engine from '@wechat-outbox/outbox/engine'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { guarded } from '../v1/read.ts'
import { type Asked, PageProblem, send, tickedOf, UNKNOWN_TASK, withApp } from './asked.ts'
import type { PageContext } from './layout.ts'
import { renderGone, renderLetter } from './letter-page.ts'
import { filterParameters, hrefOf, type Place, type ShownFilter } from './links.ts'
import { readOverview } from './overview-data.ts'
import { renderOverview } from './overview-page.ts'
import { type Chosen, readPreflight } from './preflight.ts'
import { renderPreflight } from './preflight-page.ts'
import { type Change, overviewQuery, placeQuery, preflightQuery, read, shownFilterOf } from './query.ts'
import { shownLetter } from './shown-letter.ts'
import { renderTask, renderTaskPage, renderTasksPage, renderTasksSection } from './task-pages.ts'

export async function showOverview(asked: Asked): Promise<FastifyReply> {
  const { request, reply } = asked
  const { app, lang, q, cursor, tick, ...given } = read(request.query, overviewQuery)
  const found = isFilled(request.query) ? searchHref({ appid: app, lang }, q ?? '', given) : undefined
  if (found !== undefined) return reply.redirect(found, 303)
  const filter = shownFilterOf(given)
  return withApp(asked, { app, lang }, async ({ store, appid, apps, context }) => {
    const [overview, tasks] = await guarded(() =>
      Promise.all([readOverview(store, appid, { filter, cursor }), engine.listTasks(store, appid)]),
    )
    const isAllTicked = tick === 'all'
    return send(reply, renderOverview(context, { apps, appid, filter, cursor, isAllTicked, overview, tasks }))
  })
}

/** Whether it comes from the form, which sends its fields also where they are empty. */
const isFilled = (query: unknown): boolean => Object.keys(query ?? {}).includes('q')

/** Where what was typed into the form leads to. */
function searchHref(place: Place, q: string, filter: ShownFilter): string {
  if (isDeadLetterId(q) || isMessageId(q)) return hrefOf(`/letters/${encodeURIComponent(q)}`, place)
  return hrefOf('', place, filterParameters({ ...filter, touser: q === '' ? undefined : q }))
}

export async function showLetter(asked: Asked): Promise<FastifyReply> {
  const { deps, request, reply } = asked
  const { app, lang } = read(request.query, placeQuery)
  const { id } = request.params as { id: string }
  return withApp(asked, { app, lang }, async ({ store, appid, context }) => {
    if (!isDeadLetterId(id) && !isMessageId(id)) throw new PageProblem(UNKNOWN_LETTER)
    const letterId = isMessageId(id) ? deadLetterIdOf(id) : id
    const letter = await guarded(() => engine.readDeadLetter(store, appid, letterId))
    if (letter !== null && letterId !== id) return reply.redirect(hrefOf(`/letters/${letterId}`, context.place), 303)
    if (letter !== null) return send(reply, renderLetter(context, shownLetter(letter, context)))
    const report = await deps.outbox.status(`m-${letterId.slice(2)}`, appid)
    return send(reply.code(404), renderGone(context, { id, report }))
  })
}

export async function showPreflight(asked: Asked): Promise<FastifyReply> {
  const { request, reply } = asked
  const change = read(request.query, preflightQuery)
  return withApp(asked, change, async ({ store, appid, context }) => {
    const now = await guarded(() => store.clock.read())
    const chosen = chosenOf(change, { t: context.t, now })
    const preflight = await guarded(() => readPreflight(store, appid, { action: change.action, chosen }))
    return send(reply, renderPreflight(context, { action: change.action, perSecond: change.perSecond, preflight }))
  })
}

/** @throws PageProblem where nothing is ticked; OutboxError WXO_INVALID for a filter that begins after its end */
function chosenOf({ of, id, ...given }: Change, { t, now }: { t: PageContext['t']; now: number }): Chosen {
  if (of === 'ticked') return { ids: tickedOf(id, t) }
  const filter = shownFilterOf(given)
  return { filter: { ...filter, until: Math.min(filter.until ?? now, now) } }
}

export async function showTasks(asked: Asked): Promise<FastifyReply> {
  const { request, reply } = asked
  return withApp(asked, read(request.query, placeQuery), async ({ store, appid, context }) => {
    const tasks = await guarded(() => engine.listTasks(store, appid))
    return send(reply, isPart(request) ? renderTasksSection(context, tasks) : renderTasksPage(context, tasks))
  })
}

export async function showTask(asked: Asked): Promise<FastifyReply> {
  const { request, reply } = asked
  const { id } = request.params as { id: string }
  return withApp(asked, read(request.query, placeQuery), async ({ store, appid, context }) => {
    const task = isTaskId(id) ? await guarded(() => engine.readTask(store, appid, id)) : null
    if (task === null) throw new PageProblem(UNKNOWN_TASK)
    return send(reply, isPart(request) ? renderTask(context, task) : renderTaskPage(context, task))
  })
}

/** htmx asks for the part of a page that it renews. */
const isPart = ({ headers }: FastifyRequest): boolean => headers['hx-request'] === 'true'

const UNKNOWN_LETTER = { status: 404, code: 'unknown-dead-letter', detail: 'There is no such dead letter.' } as const
