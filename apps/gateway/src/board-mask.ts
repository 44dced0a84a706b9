/**
 * The masked dashboard, beyond the data of jobs. Bull Board's formatters do not cover a job's id, options, failure and stack
 * trace, and it shows logs, flows and schedulers, of which the outbox has none: what stands there is somebody else's.
 */
import type { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { FastifyAdapter } from '@bull-board/fastify'
import { isDeadLetterId, isMessageId } from '@wechat-outbox/messages'
import { changeJobs, type JobJson } from './board-jobs.ts'
import { maskCallback, maskDeadLetter, maskMessage, maskReturnValue } from './mask.ts'
import { HIDDEN, maskErrmsg, maskFailedReason } from './mask-words.ts'

/** The options of a job that are numbers and nothing else. */
const OPTIONS = ['attempts', 'delay', 'priority', 'timestamp'] as const

const MASKS = { send: maskMessage, 'dead-letter': maskDeadLetter, callback: maskCallback } as const

export function maskAdapter(adapter: BullMQAdapter, kind: keyof typeof MASKS): void {
  adapter.setFormatter('data', MASKS[kind])
  adapter.setFormatter('returnValue', maskReturnValue)
  adapter.setFormatter('progress', (progress: unknown) => (typeof progress === 'number' ? progress : 0))
  changeJobs(adapter, maskJson)
  adapter.getJobLogs = () => Promise.resolve([])
  adapter.getJobSchedulers = () => Promise.resolve([])
  adapter.getJobSchedulersCount = () => Promise.resolve(0)
}

type Route = Parameters<FastifyAdapter['setApiRoutes']>[0][number]

/** A flow names the jobs of other queues and says why they failed: every job is shown as belonging to none. */
export function maskRoute(route: Route): Route {
  if (![route.route].flat().some((path) => path.endsWith('/flow'))) return route
  const handler: Route['handler'] = (request) => {
    const { jobId } = (request?.params ?? {}) as { readonly jobId?: string }
    return { status: 200, body: { nodeId: shownId(jobId), flowRoot: null, isFlowNode: false } }
  }
  return { ...route, handler }
}

function maskJson(json: JobJson): JobJson {
  const { failedReason, stacktrace, opts, deduplicationId, deferredFailure, ...rest } = json as JobJson & {
    deduplicationId?: string
    deferredFailure?: string
  }
  const numbers = OPTIONS.flatMap((name) => {
    const value = (opts as Readonly<Record<string, unknown>> | undefined)?.[name]
    return typeof value === 'number' ? [[name, value] as const] : []
  })
  return {
    ...rest,
    id: shownId(json.id),
    failedReason: failedReason ? shownFailure(failedReason) : failedReason,
    stacktrace: stacktrace?.length ? [HIDDEN] : stacktrace,
    opts: Object.fromEntries(numbers),
    processedBy: undefined,
    ...(deduplicationId ? { deduplicationId: HIDDEN } : {}),
    ...(deferredFailure ? { deferredFailure: maskErrmsg(deferredFailure) } : {}),
  } as unknown as JobJson
}

/** What a receiver of callbacks answered is no text of anybody's. */
const shownFailure = (text: string): string => (/^status \d{3}$/.test(text) ? text : maskFailedReason(text))

/** An event is named after the message or the app, and what it tells. */
const EVENT_ID = /^c-[\w-]{1,90}-(?:delivered|dead|expired-waiting|suspended|resumed)$/

/** Ids of ours, and the numbers that BullMQ draws. */
function shownId(id: string | undefined): string {
  const isOurs = id !== undefined && (isMessageId(id) || isDeadLetterId(id) || EVENT_ID.test(id))
  const isShown = isOurs || (id !== undefined && /^\d{1,10}$/.test(id))
  return isShown ? id : HIDDEN
}
