/**
 * A task replays or discards many dead letters. It is stored, so that whoever asks for it may go away, and any worker of the app
 * carries it out: it finds the letters (`select.ts`), and works them off in batches, oldest first by acceptance, each batch in
 * one script that also counts what it has done (`step.ts`). A worker that dies leaves nothing half done and nothing to wait for.
 *
 * A letter of a task stays a dead letter until its batch. It may be replayed or discarded meanwhile by somebody else; then
 * the task counts it as skipped.
 */
import { type DeadLetterFilter, newTaskId } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { isWrongType } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { takeBackBatch } from './take-back.ts'

export type TaskAction = 'replay' | 'discard'

export interface Task {
  readonly id: string
  readonly action: TaskAction
  /** Null where the letters were named by their ids. */
  readonly filter: DeadLetterFilter | null
  readonly status: 'running' | 'done' | 'cancelled'
  /** How many letters it is about; null until they have been found. */
  readonly total: number | null
  /** Replayed, or discarded. */
  readonly done: number
  /** Gone, or asked for by somebody else, when their turn came. */
  readonly skipped: number
  /** Left as they were: nothing in them can be sent, or Redis refuses them for good. */
  readonly failed: number
  /** Of those that failed: they cannot be replayed because their content was removed. */
  readonly notReplayable: number
  /** Of those replayed: dead letters again, because they were not sent yet. */
  readonly takenBack: number
  /** Letters per second; null: as fast as it goes. */
  readonly perSecond: number | null
  /** ISO 8601. */
  readonly startedAt: string
  readonly endedAt?: string
  /** Who started it. */
  readonly by: string
  /** Who cancelled it first; absent where nobody did, or an earlier version. */
  readonly cancelledBy?: string
}

/** A task that a worker has something to do for. */
export interface OpenTask extends Task {
  /** How far the search for its letters is; undefined once all have been found. */
  readonly cursor: string | undefined
  readonly startedAtMs: number
  readonly takingBack: boolean
}

export interface NewTask {
  readonly action: TaskAction
  readonly filter?: DeadLetterFilter | undefined
  readonly ids?: readonly string[] | undefined
  readonly perSecond?: number | undefined
  readonly by: string
}

/** Tasks of one app that may run at the same time. */
export const TASKS_OPEN_MAX = 8
/** Tasks that are remembered, those that run included. The script keeps one that has ended for seven days at most. */
const TASKS_KEPT_MAX = 100
/** Ids in one command. */
const IDS_CHUNK = 1000
/** What a creator that dies has written of a task goes by itself. */
const GIVEN_MS = 3_600_000
const BY_CHARS_MAX = 200

/** Starts a task; the answer is as of its start. Null: as many as may are running already. */
export async function createTask(store: Store, appid: string, asked: NewTask): Promise<Task | null> {
  const { action, filter, ids = [], perSecond = 0, by } = asked
  const keys = appKeys(appid)
  const id = newTaskId()
  const given = keys.taskGiven(id)
  for (let from = 0; from < ids.length; from += IDS_CHUNK) {
    await store.redis.zadd(given, ...ids.slice(from, from + IDS_CHUNK).flatMap((one) => [0, one]))
    if (from === 0) await store.redis.pexpire(given, GIVEN_MS)
  }
  const fields = { action, filter: JSON.stringify(filter ?? null), perSecond, by: by.slice(0, BY_CHARS_MAX) }
  const created = await runScript<'created' | 'again' | 'too-many'>(store.redis, {
    name: 'task-create',
    keys: [keys.task(id), keys.taskIds, keys.tasksOpen, keys.deadMarker, given],
    args: [id, keys.tasks, TASKS_OPEN_MAX, TASKS_KEPT_MAX, ...Object.entries(fields).flat()],
  })
  if (created === 'too-many') {
    await store.redis.unlink(given)
    return null
  }
  return readTask(store, appid, id)
}

type Unread = (id: string, error: unknown) => void

/** Null: there is no such task, it is no longer remembered, or another program has put something else under its key. */
export async function readTask(store: Store, appid: string, id: string): Promise<Task | null> {
  const read = await readOpen(store, { appid, id })
  return read === null ? null : shown(read)
}

async function readOpen(store: Store, at: { appid: string; id: string }, unread?: Unread): Promise<OpenTask | null> {
  try {
    return taskOf(at.id, await store.redis.hgetall(appKeys(at.appid).task(at.id)))
  } catch (error) {
    if (!isWrongType(error)) throw error
    unread?.(at.id, error)
    return null
  }
}

/** All that are remembered, the latest first. */
export async function listTasks(store: Store, appid: string): Promise<Task[]> {
  const ids = await store.redis.zrevrange(appKeys(appid).taskIds, '0', '-1')
  const read = await Promise.all(ids.map((id) => readTask(store, appid, id)))
  return read.filter((task) => task !== null)
}

/** Those that a worker has something to do for. `unread` hears of those under whose key another program has put something else. */
export async function openTasks(store: Store, appid: string, unread?: Unread): Promise<OpenTask[]> {
  const ids = await store.redis.zrange(appKeys(appid).tasksOpen, '0', '-1')
  const read = await Promise.all(ids.toSorted().map((id) => readOpen(store, { appid, id }, unread)))
  return read.filter((task) => task !== null)
}

/** Those that run, for somebody who looks at many apps: what has ended is not read. */
export async function listRunningTasks(store: Store, appid: string): Promise<Task[]> {
  const open = await openTasks(store, appid)
  return open.filter(({ status }) => status === 'running').map(shown)
}

/** Whether the queue of dead letters was paused with BullMQ, so that no worker carries out replays and tasks. */
export async function isReplayPaused({ redis }: Store, appid: string): Promise<boolean> {
  return (await redis.hexists(appKeys(appid).deadMeta, 'paused')) === 1
}

export interface Cancelled {
  readonly kind: 'cancelled' | 'ended'
  readonly task: Task
}

/** How long a caller waits for what is taken back. A worker takes back the rest. */
const TAKE_BACK_MS_MAX = 5000

/**
 * Ends a task at once. `takeBack`: what it has replayed and nobody has tried to send becomes the dead letters again that it was, also
 * of a task that is done, for a day. Null: there is no such task. `ended`: it had ended, and there is nothing to take back.
 */
export async function cancelTask(
  store: Store,
  { appid, id, by = '' }: { appid: string; id: string; by?: string },
  takeBack: boolean,
): Promise<Cancelled | null> {
  const keys = appKeys(appid)
  const kind = await runScript<'cancelled' | 'ended' | 'unknown'>(store.redis, {
    name: 'task-cancel',
    keys: [keys.task(id), keys.tasksOpen, keys.taskReplayed(id), keys.deadMarker],
    args: [id, keys.tasks, takeBack ? 'take-back' : '', by.slice(0, BY_CHARS_MAX)],
  })
  if (kind === 'unknown') return null
  const until = performance.now() + TAKE_BACK_MS_MAX
  for (let left = takeBack ? 1 : 0; left > 0 && performance.now() < until; ) {
    const batch = await takeBackBatch({ store, appid }, id)
    left = batch.refused.length > 0 ? 0 : batch.left
  }
  const task = await readTask(store, appid, id)
  return task === null ? null : { kind, task }
}

function taskOf(id: string, fields: Record<string, string>): OpenTask | null {
  const { action, status, filter, total, startedAt, endedAt, cursor, perSecond = '0', by = '', cancelledBy } = fields
  if (action === undefined || status === undefined) return null
  const count = (of: string): number => Number(fields[of] ?? 0)
  return {
    id,
    action: action as TaskAction,
    filter: (parseJson(filter) ?? null) as DeadLetterFilter | null,
    status: status as Task['status'],
    total: total === undefined ? null : Number(total),
    done: count('done'),
    skipped: count('skipped'),
    failed: count('failed'),
    notReplayable: count('notReplayable'),
    takenBack: count('takenBack'),
    perSecond: perSecond === '0' ? null : Number(perSecond),
    startedAt: iso(startedAt),
    ...(endedAt === undefined ? {} : { endedAt: iso(endedAt) }),
    by,
    ...(cancelledBy === undefined ? {} : { cancelledBy }),
    cursor,
    startedAtMs: Number(startedAt),
    takingBack: fields['takingBack'] === '1',
  }
}

function shown({ cursor: _cursor, startedAtMs: _ms, takingBack: _taking, ...task }: OpenTask): Task {
  return task
}

const iso = (ms: string | undefined): string => new Date(Number(ms ?? 0)).toISOString()
