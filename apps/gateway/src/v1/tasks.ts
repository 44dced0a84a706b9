/** Bulk replays and discards over HTTP: workers carry them out, and these calls start them, look at them and end them. */
import { isTaskId, TASK_SIZE } from '@wechat-outbox/messages'
import * as engine from '@wechat-outbox/outbox/engine'
import { reasonKeys } from '@wechat-outbox/policy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Problem, sendProblem } from '../problem.ts'
import type { V1Deps } from './add-v1.ts'
import { cancelQuery, taskRequest } from './operator-schemas.ts'
import { guarded, noQuery, readBody, readParameters } from './read.ts'
import { shownTask } from './times.ts'

export async function createTask({ store }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, body } = readBody(request, taskRequest, TASK_SIZE)
  const { dryRun, ...asked } = body
  if (dryRun === true) {
    const { action, filter, ids = [] } = asked
    return guarded(async () => {
      const open = await store()
      const counted = await (filter === undefined
        ? engine.countGiven(open, appid, ids)
        : engine.countDeadLetters(open, appid, { filter, by: 'errcode', reasons: reasonKeys() }))
      const of = filter === undefined ? { ids } : { filter }
      const windows = await engine.countWindows(open, appid, { of, total: counted.total })
      const without = await engine.countNotReplayable(open, appid, { of })
      const notReplayable = without?.reduce((all, { count }) => all + count, 0) ?? null
      return { dryRun: true, action, ...counted, windows, notReplayable }
    })
  }
  const by = callerOf(request)
  const task = await guarded(async () => engine.createTask(await store(), appid, { ...asked, by }))
  if (task === null) return sendProblem(reply, TOO_MANY)
  reply.code(202).header('location', `/v1/apps/${appid}/tasks/${task.id}`)
  return shownTask(task)
}

export async function listTasks({ store }: V1Deps, request: FastifyRequest) {
  const { appid } = readParameters(request, noQuery)
  const tasks = await guarded(async () => engine.listTasks(await store(), appid))
  return { items: tasks.map(shownTask) }
}

export async function readTask({ store }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id } = readParameters(request, noQuery)
  const task = isTaskId(id) ? await guarded(async () => engine.readTask(await store(), appid, id)) : null
  return task === null ? sendProblem(reply, UNKNOWN) : shownTask(task)
}

export async function cancelTask({ store }: V1Deps, request: FastifyRequest, reply: FastifyReply) {
  const { appid, id, query } = readParameters(request, cancelQuery)
  if (!isTaskId(id)) return sendProblem(reply, UNKNOWN)
  const takeBack = query.takeBack === true
  const cancelled = await guarded(async () =>
    engine.cancelTask(await store(), { appid, id, by: callerOf(request) }, takeBack),
  )
  return cancelled === null ? sendProblem(reply, UNKNOWN) : shownTask(cancelled.task)
}

const callerOf = (request: FastifyRequest): string => request.caller?.id ?? 'unknown'

const UNKNOWN: Problem = {
  status: 404,
  code: 'unknown-task',
  detail: 'There is no such task, or it ended more than seven days ago.',
}
const TOO_MANY: Problem = {
  status: 409,
  code: 'too-many-tasks',
  detail: `${engine.TASKS_OPEN_MAX} tasks of this app run already.`,
}
