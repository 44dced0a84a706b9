/**
 * From a dead letter to a new message. Whoever retries the dead letter's job – the dashboard's button, `wxo`, HTTP, plain
 * `job.retry()` – makes it waiting, and a worker of the queue `dead-letter` replays it here: one script that stores
 * the new message and notes its id on the dead letter. Then the job completes and is removed. Repeated at any point, by
 * anybody, it finds the note and does nothing more.
 */
import {
  type DeadLetter,
  EARLIER_REASONS_MAX,
  type JobData,
  replayIdOf,
  type StatusReport,
} from '@wechat-outbox/messages'
import { reportOfDeadLetter } from '../producer/status.ts'
import { addKeys, appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { indexesOf } from './mover.ts'

export type Replayed =
  | { readonly kind: 'replayed'; readonly id: string; readonly repeated: boolean }
  /** Nothing to send stands in it. */
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'gone' }

export interface ReplayOptions {
  readonly store: Store
  readonly appid: string
  /** For how long the status of the dead message still tells what it was replayed as. */
  readonly rememberMs: number
}

export async function replay(id: string, letter: DeadLetter, options: ReplayOptions): Promise<Replayed> {
  if ('unreadable' in letter.message) return { kind: 'unreadable' }
  const { store, appid, rememberMs } = options
  const keys = appKeys(appid)
  const newId = replayIdOf(id)
  const now = Date.now()
  const data = replayedData(id, letter, { message: letter.message, now })
  const ended: StatusReport = { ...reportOfDeadLetter(appid, letter), status: 'replayed', replayedAs: newId }
  const stored = [newId, data.msgtype, data.touser, JSON.stringify(data), now, data.expiresAt ?? '']
  const [kind, as] = await runScript<['new' | 'gone'] | ['taken', string]>(store.redis, {
    name: 'replay',
    keys: [...addKeys(keys), keys.expiring, keys.deadJob(id), keys.ended(letter.messageId), ...indexesOf(keys, letter)],
    args: [keys.sendJobs, keys.lanes, ...stored, id, JSON.stringify(ended), rememberMs],
  })
  if (kind === 'gone') return { kind: 'gone' }
  return { kind: 'replayed', id: as ?? newId, repeated: kind === 'taken' }
}

/**
 * The message as it was, now, with a budget of its own. Its time to be sent has come, and a limit that has already passed
 * is overruled by whoever replays it.
 */
function replayedData(id: string, letter: DeadLetter, at: { message: JobData; now: number }): JobData {
  const { sendAt: _sendAt, expiresAt, earlierReasons = [], ...rest } = at.message
  const { errcode, name } = letter.reason
  const reason = errcode === null ? name : `${errcode} ${name}`
  return {
    ...rest,
    ...(expiresAt !== undefined && expiresAt > at.now ? { expiresAt } : {}),
    replayOf: id,
    earlierReasons: [reason, ...earlierReasons].slice(0, EARLIER_REASONS_MAX),
  }
}
