/**
 * What stands in Redis for a message: the data of its job in the queue `send`. Producers and workers are upgraded at
 * different times, so it carries a version. A worker reads every version up to its own and lets a higher one wait.
 */
import { z } from 'zod'
import { cleanErrmsg } from './errmsg.ts'
import { type Part, partSchema } from './part.ts'
import { type RemovedContent, readRemovedContent } from './removed-content.ts'
import { type Checked, type CheckedRequest, check, storedRequestSchema } from './send-request.ts'

/**
 * The highest version that this code reads. It writes the lowest that says all: 1, or 2 for a message with an `onClosed`, which a worker
 * that does not know reply windows lets wait, or 3 for one whose picture is given by its URL.
 */
export const JOB_DATA_VERSION = 3

/** Where a replayed message comes from: the dead letter, and the reasons of it and of those before, newest first. */
export interface ReplayOrigin {
  readonly replayOf: string
  readonly earlierReasons: readonly string[]
}

/** How many earlier reasons a message remembers through repeated replays. */
export const EARLIER_REASONS_MAX = 5

/** Acceptance is the job's own timestamp and the appid stands in the queue's prefix: neither is stored a second time. */
export type JobData = { readonly v: 1 | 2 | 3 } & CheckedRequest & Partial<ReplayOrigin> & { readonly part?: Part }

export type ReadJobData =
  | { readonly kind: 'ok'; readonly data: JobData }
  | { readonly kind: 'newer'; readonly v: number }
  /** It was delivered, or a newer message has replaced it, and its content is not kept. */
  | { readonly kind: 'content-removed'; readonly data: RemovedContent }
  /** `problem` names keys of the data, so it is cleaned like any text from outside. */
  | { readonly kind: 'invalid'; readonly problem: string }

const requestSchema = storedRequestSchema()
const originSchema = z.object({
  v: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  replayOf: z.string().max(80).optional(),
  earlierReasons: z.array(z.string().max(200)).max(EARLIER_REASONS_MAX).optional(),
  part: partSchema.optional(),
})

const NO_ORIGIN = {
  1: { ok: true, value: { v: 1 } },
  2: { ok: true, value: { v: 2 } },
  3: { ok: true, value: { v: 3 } },
} as const

/** What is stored of a request: version and recipient first, where scripts read them. */
export function newJobData(request: CheckedRequest): JobData {
  const { idempotencyKey: _key, collapseKey: _collapse, onClosed, ...rest } = request
  const v = pictureUrlOf(request) !== undefined ? 3 : onClosed === undefined ? 1 : 2
  if (onClosed === undefined) return { v, ...rest }
  // A refusal is over once the message is accepted.
  return { v, ...rest, onClosed: onClosed === 'refuse' ? 'dead-letter' : onClosed }
}

/**
 * Reads a job's data, whoever wrote it. Never throws: data that was added by other means is a message that cannot be
 * delivered, not a reason for a worker to stop.
 */
export function readJobData(raw: unknown): ReadJobData {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return invalid('the job data is not an object')
  const { v, replayOf, earlierReasons, part, ...request } = raw as Record<string, unknown>
  if (typeof v === 'number' && Number.isInteger(v) && v > JOB_DATA_VERSION) return { kind: 'newer', v }
  const removed = readRemovedContent(raw)
  if (removed !== undefined) return { kind: 'content-removed', data: removed }
  // Most messages are neither replays nor parts, and every message passes here.
  const isPlain = replayOf === undefined && earlierReasons === undefined && part === undefined
  const origin =
    isPlain && (v === 1 || v === 2 || v === 3)
      ? NO_ORIGIN[v]
      : check({ v, replayOf, earlierReasons, part }, originSchema)
  const checked: Checked<CheckedRequest> = check(request, requestSchema)
  if (origin.ok && checked.ok) return { kind: 'ok', data: withOrigin(checked.value, origin.value) }
  const problems = [...(origin.ok ? [] : origin.problems), ...(checked.ok ? [] : checked.problems)]
  return invalid(problems.map((problem) => `${problem.path || 'message'} ${problem.message}`).join('; '))
}

function withOrigin(request: CheckedRequest, origin: z.output<typeof originSchema>): JobData {
  const { v, replayOf, earlierReasons = [], part } = origin
  return {
    v,
    ...request,
    ...(replayOf === undefined ? {} : { replayOf, earlierReasons }),
    ...(part === undefined ? {} : { part }),
  }
}

function invalid(problem: string): ReadJobData {
  return { kind: 'invalid', problem: cleanErrmsg(problem) }
}

/** Where the picture of a message is, if its producer has given no media id. */
export function pictureUrlOf(data: CheckedRequest): string | undefined {
  if (data.msgtype === 'image') return data.image.url
  return data.msgtype === 'miniprogrampage' ? data.miniprogrampage.thumb_url : undefined
}

/** The body that WeChat gets: its own fields, in its own order, and nothing else. `mediaId`: of the picture that a URL stands for. */
export function wechatBody(data: CheckedRequest, mediaId?: string): Record<string, unknown> {
  const { touser, msgtype, aimsgcontext, businessid, customservice } = data
  return {
    touser,
    msgtype,
    ...contentOf(data, mediaId),
    ...(aimsgcontext === undefined ? {} : { aimsgcontext }),
    ...(businessid === undefined ? {} : { businessid }),
    ...(customservice === undefined ? {} : { customservice }),
  }
}

function contentOf(data: CheckedRequest, mediaId: string | undefined): Record<string, unknown> {
  switch (data.msgtype) {
    case 'text':
      return { text: data.text }
    case 'image':
      return { image: { media_id: mediaId ?? data.image.media_id } }
    case 'link':
      return { link: data.link }
    case 'miniprogrampage': {
      const { title, pagepath, thumb_media_id: own } = data.miniprogrampage
      return { miniprogrampage: { title, pagepath, thumb_media_id: mediaId ?? own } }
    }
  }
}
