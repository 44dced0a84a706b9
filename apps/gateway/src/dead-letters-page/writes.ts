/** What the page's forms do: start a task, end one. Every request to change something leaves a line in the log, with the name of who made it. */
import { check, isTaskId, TASK_SIZE, type TaskRequest } from '@wechat-outbox/messages'
import * as engine from '@wechat-outbox/outbox/engine'
import type { FastifyReply } from 'fastify'
import { taskRequest } from '../v1/operator-schemas.ts'
import { guarded, invalid } from '../v1/read.ts'
import { type Asked, PageProblem, tickedOf, UNKNOWN_TASK, withApp } from './asked.ts'
import type { PageContext } from './layout.ts'
import { hrefOf } from './links.ts'
import { taskFilterOf } from './overview-data.ts'
import { type Change, cancelForm, preflightQuery, read, shownFilterOf } from './query.ts'

type Outcome = 'requested' | 'refused' | 'failed'

/** Starts what a preflight has shown, and leads to the task. */
export async function startTask(asked: Asked): Promise<FastifyReply> {
  const { request, reply, deps } = asked
  const change = read(request.body, preflightQuery)
  return withApp(asked, change, async ({ store, appid, context }) => {
    const log = audit(asked, { appid, action: change.action })
    const wanted = taskOf(change, context.t)
    const by = userOf(deps.config)
    const task = await guarded(() => engine.createTask(store, appid, { ...wanted, by })).catch((error: unknown) => {
      log('failed')
      throw error
    })
    log(task === null ? 'refused' : 'requested', task?.id)
    if (task === null) throw new PageProblem(TOO_MANY)
    return reply.redirect(hrefOf(`/tasks/${task.id}`, context.place), 303)
  })
}

/** @throws OutboxError WXO_INVALID */
function taskOf(change: Change, t: PageContext['t']): Pick<TaskRequest, 'action' | 'filter' | 'ids' | 'perSecond'> {
  const { action, of, id, perSecond, ...given } = change
  const chosen = of === 'ticked' ? { ids: tickedOf(id, t) } : { filter: taskFilterOf(shownFilterOf(given)) }
  // Without the time of its preflight a filter would also mean what nobody has seen.
  if ('filter' in chosen && chosen.filter.until === undefined) throw invalid([{ path: 'until', message: 'is missing' }])
  const checked = check(
    { action, ...chosen, ...(perSecond === undefined ? {} : { perSecond }) },
    taskRequest,
    TASK_SIZE,
  )
  if (!checked.ok) throw invalid(checked.problems)
  return checked.value
}

export async function cancelTask(asked: Asked): Promise<FastifyReply> {
  const { request, reply } = asked
  const { id } = request.params as { id: string }
  const { takeBack, ...place } = read(request.body, cancelForm)
  return withApp(asked, place, async ({ store, appid, context }) => {
    if (!isTaskId(id)) throw new PageProblem(UNKNOWN_TASK)
    const log = audit(asked, { appid, action: takeBack === undefined ? 'cancel' : 'take-back' })
    const isTakenBack = takeBack !== undefined
    const cancelled = await guarded(() =>
      engine.cancelTask(store, { appid, id, by: userOf(asked.deps.config) }, isTakenBack),
    ).catch((error: unknown) => {
      log('failed', id)
      throw error
    })
    log(cancelled === null ? 'refused' : 'requested', id)
    if (cancelled === null) throw new PageProblem(UNKNOWN_TASK)
    return reply.redirect(hrefOf(`/tasks/${id}`, context.place), 303)
  })
}

const userOf = ({ DASHBOARD_USER: user }: Asked['deps']['config']): string => user ?? 'anonymous'

function audit({ deps, request }: Asked, at: { appid: string; action: string }) {
  const { method } = request
  return (outcome: Outcome, task?: string): void => {
    deps.log.info({ event: 'dashboard.write', method, ...at, task, outcome, user: userOf(deps.config) })
  }
}

const TOO_MANY = {
  status: 409,
  code: 'too-many-tasks',
  detail: `${engine.TASKS_OPEN_MAX} tasks of this app run already.`,
} as const
