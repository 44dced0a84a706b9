/**
 * Where a message stands, read from wherever it is: its job, the record that it left when it ended, or its dead letter.
 */
import {
  type DeadLetter,
  deadLetterIdOf,
  isContentRemoved,
  type JobData,
  type MessageStatus,
  partIdsOf,
  type ReadJobData,
  readJobData,
  recipientOf,
  replayOriginOf,
  type StatusReport,
} from '@wechat-outbox/messages'
import { attemptsOf, type HistoryEntry, isTime, type JobHash, parseJson, readJobHash } from '../bullmq/job-hash.ts'
import { wholeLetterIn } from '../dead-letters/letter.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'

/** The status of a message, or null when there is no such message (any more). */
export async function readStatus(store: Store, appid: string, id: string): Promise<StatusReport | null> {
  const { job, ended } = await findMessage(store, appid, id)
  return job?.report ?? ended
}

export interface Found {
  readonly job: JobLook | null
  /** What a message without its job has left. */
  readonly ended: StatusReport | null
}

/**
 * Finds a message: its job, or, where that is gone, what it has left. It is looked for twice before it is called unknown, because it may
 * move from a place that is looked at later to one that has been looked at: a letter that is replayed, or discarded.
 */
export async function findMessage(store: Store, appid: string, id: string): Promise<Found> {
  for (let looks = 1; ; looks += 1) {
    const job = await lookAtJob(store, appid, id)
    const ended = job === null ? await readEnded(store, appid, id) : null
    if (job !== null || ended !== null || looks === 2) return { job, ended }
  }
}

/** A message that has its job. */
export interface JobLook {
  readonly job: JobHash
  readonly report: StatusReport
  /** How often it had been fetched: a script compares it to see whether this is still true. */
  readonly fetches: string
}

export async function lookAtJob(store: Store, appid: string, id: string): Promise<JobLook | null> {
  // The state first: what is read after it is at least as new, so that no message is delivered without its attempts.
  const state = await store.backend(appid, SEND_QUEUE).getState(id)
  const fields = await store.redis.hgetall(appKeys(appid).sendJob(id))
  const job = readJobHash(fields)
  if (job === null) return null
  return { job, report: reportOfJob(appid, id, { job, state: String(state) }), fetches: fields['ats'] ?? '0' }
}

async function readEnded(store: Store, appid: string, id: string): Promise<StatusReport | null> {
  const keys = appKeys(appid)
  const ended = parseJson(await store.redis.get(keys.ended(id)))
  if (ended !== undefined) return ended as StatusReport
  const deadLetter = deadLetterIdOf(id)
  const dead = readJobHash(await store.redis.hgetall(keys.deadJob(deadLetter)))
  if (dead === null) return reportOfReplay(store, appid, id)
  const letter = wholeLetterIn(dead.data)
  return letter === null ? reportOfOddLetter(appid, id) : reportOfDeadLetter(appid, letter)
}

/** What stands under the id of its letter, nobody can read. */
function reportOfOddLetter(appid: string, id: string): StatusReport {
  const deadLetter = deadLetterIdOf(id)
  return { id, status: 'dead', appid, touser: '', msgtype: '', acceptedAt: '', deadLetter, attempts: [] }
}

/** A replay that was asked for has its id before a worker carries it out: until then the dead letter stands for it. */
async function reportOfReplay(store: Store, appid: string, id: string): Promise<StatusReport | null> {
  const replayOf = replayOriginOf(id)
  if (replayOf === undefined) return null
  const keys = appKeys(appid)
  const [fields, buried] = await Promise.all([
    store.redis.hgetall(keys.deadJob(replayOf)),
    store.redis.zscore(keys.deadFailed, replayOf),
  ])
  const job = readJobHash(fields)
  const letter = wholeLetterIn(job?.data)
  if (letter === null || buried !== null || job?.replayedAs !== undefined) return null
  const {
    deadLetter: _letter,
    parts: _parts,
    sendAt: _time,
    settledAt = '',
    ...report
  } = reportOfDeadLetter(appid, letter)
  // When it was asked for is written nowhere; it was ours from the death on.
  return { ...report, id, status: 'queued', acceptedAt: settledAt, replayOf, attempts: [] }
}

export function reportOfDeadLetter(appid: string, letter: DeadLetter): StatusReport {
  const data = shownOf(readJobData(letter.message))
  return {
    id: letter.messageId,
    status: 'dead',
    appid,
    touser: recipientOf(letter) ?? '',
    msgtype: data.msgtype ?? '',
    acceptedAt: iso(letter.acceptedAt),
    settledAt: iso(letter.deadAt),
    deadLetter: deadLetterIdOf(letter.messageId),
    ...extras(letter.messageId, data),
    ...(isContentRemoved(letter) ? { contentRemoved: true } : {}),
    attempts: letter.attempts,
  }
}

export function reportOfJob(appid: string, id: string, at: { job: JobHash; state: string }): StatusReport {
  const { job, state } = at
  const read = readJobData(job.data)
  const data = shownOf(read)
  const last = job.returned as Partial<HistoryEntry> | null | undefined
  const status = statusOf(job, state)
  return {
    id,
    status,
    appid,
    touser: data.touser ?? '',
    msgtype: data.msgtype ?? job.name,
    acceptedAt: iso(job.timestamp),
    ...(status === 'waiting-for-user' && job.awaitsSince > 0 ? { waitingSince: iso(job.awaitsSince) } : {}),
    ...(job.finishedOn === 0 ? {} : { settledAt: iso(job.finishedOn) }),
    ...(job.supersededBy === undefined ? {} : { supersededBy: job.supersededBy }),
    ...extras(id, data),
    ...(read.kind === 'content-removed' ? { contentRemoved: true } : {}),
    attempts: attemptsOf([...job.history, { attempts: Array.isArray(last?.attempts) ? last.attempts : [] }]),
  }
}

function statusOf(job: JobHash, state: string): MessageStatus {
  if (job.supersededBy !== undefined) return 'superseded'
  if (job.settled) return 'delivered'
  switch (state) {
    case 'completed':
      return 'delivered'
    // Dead already, and about to be moved to the dead letters.
    case 'failed':
      return 'dead'
    case 'active':
      return 'sending'
    case 'delayed':
      if (job.parked) return 'held'
      if (job.awaitsUser) return 'waiting-for-user'
      return job.tries > 0 ? 'retrying' : isScheduled(job) ? 'scheduled' : 'queued'
    default:
      return 'queued'
  }
}

/** A message that waits without having been tried waits either for its time or for its app. */
function isScheduled(job: JobHash): boolean {
  const read = readJobData(job.data)
  return read.kind === 'ok' && read.data.sendAt !== undefined && job.history.length === 0
}

/** Of a message, what a report contains; so much is left when its content is removed. */
type Shown = Partial<Pick<JobData, 'touser' | 'part' | 'sendAt' | 'expiresAt' | 'replayOf' | 'metadata'>> & {
  readonly msgtype?: string
}

function shownOf(read: ReadJobData): Shown {
  return read.kind === 'ok' || read.kind === 'content-removed' ? read.data : {}
}

function extras(id: string, data: Shown): Partial<StatusReport> {
  const { part } = data
  return {
    ...(part === undefined ? {} : { part }),
    ...(part?.first === id ? { parts: partIdsOf(part) } : {}),
    ...(data.sendAt === undefined ? {} : { sendAt: iso(data.sendAt) }),
    ...(data.expiresAt === undefined ? {} : { expiresAt: iso(data.expiresAt) }),
    ...(data.replayOf === undefined ? {} : { replayOf: data.replayOf }),
    ...(data.metadata === undefined ? {} : { metadata: data.metadata }),
  }
}

/** '' where another program has written what is no time. */
function iso(epochMs: number): string {
  return isTime(epochMs) ? new Date(epochMs).toISOString() : ''
}
