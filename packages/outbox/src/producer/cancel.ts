/**
 * Taking a message back. Allowed only while nothing of it can have reached WeChat: a message that is being sent, was
 * sent, of which an earlier call ended unsure, or whose worker once died holding it is too late to cancel.
 *
 * The id of a text that was cut into parts is that of the first, and cancelling it takes all of them back: the last first, so that a
 * person who gets some of them gets the beginning.
 */
import type { StatusReport } from '@wechat-outbox/messages'
import { recipientIn } from '../bullmq/job-hash.ts'
import { OutboxError } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { type JobLook, lookAtJob, readEnded } from './status.ts'

export type Cancellation = 'cancelled' | 'too-late' | 'unknown'

/** A message that was fetched so often while it was being cancelled is being sent. */
const LOOKS_MAX = 5

interface Message {
  readonly appid: string
  readonly id: string
}

/**
 * `rememberMs`: for how long `status` still reports that it was cancelled, at least; and as long as its idempotency key lives.
 * Of several parts: `cancelled` when nothing of any can have reached WeChat; `too-late` when something can. What could be
 * taken back, was.
 */
export async function cancelMessage(store: Store, message: Message, rememberMs: number): Promise<Cancellation> {
  const { appid, id } = message
  const look = await lookAtJob(store, appid, id)
  const report = look === null ? await readEnded(store, appid, id) : look.report
  const [, ...others] = report?.parts ?? []
  const results: Cancellation[] = []
  for (const part of others.toReversed()) {
    const its = { appid, id: part }
    results.push(await cancelOne(store, its, { rememberMs, look: await lookAtJob(store, appid, part) }))
  }
  const own = look === null ? cancellationOf(report) : await cancelOne(store, message, { rememberMs, look })
  if (others.length === 0) return own
  return [...results, own].every((result) => result === 'cancelled') ? 'cancelled' : 'too-late'
}

/** `look`: what its caller has just seen of the message. */
async function cancelOne(
  store: Store,
  { appid, id }: Message,
  { rememberMs, look: first }: { rememberMs: number; look: JobLook | null },
): Promise<Cancellation> {
  const keys = appKeys(appid)
  let look = first
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (look === null) return cancellationOf(await readEnded(store, appid, id))
    const report: StatusReport = {
      ...look.report,
      status: 'cancelled',
      settledAt: new Date(store.clock.now()).toISOString(),
    }
    const lane = keys.lane(recipientIn(look.job.data) ?? '')
    const result = await runScript<Cancellation | 'gone' | 'changed'>(store.redis, {
      name: 'cancel',
      keys: [keys.sendJob(id), keys.sendLock(id), lane, keys.parkedLanes, keys.expiring, keys.ended(id)],
      args: [id, keys.sendJobs, look.fetches, JSON.stringify(report), rememberMs, keys.idempotency],
    })
    if (result === 'cancelled' || result === 'too-late') return result
    look = await lookAtJob(store, appid, id)
  }
  throw new OutboxError('WXO_UNAVAILABLE', 'the message keeps changing')
}

/** Of a message whose job is gone. Cancelling twice is cancelling once; whatever else ended it came first. */
function cancellationOf(report: StatusReport | null): Cancellation {
  if (report === null) return 'unknown'
  return report.status === 'cancelled' ? 'cancelled' : 'too-late'
}
