/**
 * Taking a message back. Allowed only while nothing of it can have reached WeChat: a message that is being sent, was
 * sent, or whose worker once died holding it is too late to cancel.
 *
 * The id of a text that was cut into parts is that of the first, and cancelling it takes all of them back: the last first, so that a
 * person who gets some of them gets the beginning.
 */
import type { StatusReport } from '@wechat-outbox/messages'
import { readJobHash, recipientIn } from '../bullmq/job-hash.ts'
import { OutboxError } from '../errors.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { readStatus, reportOfJob } from './status.ts'

export type Cancellation = 'cancelled' | 'too-late' | 'unknown'

/** A message that is fetched so often under our eyes is being sent. */
const LOOKS_MAX = 5

/**
 * `rememberMs`: for how long `status` still tells that it was cancelled, at least; and as long as its idempotency key lives.
 * Of several parts: `cancelled` when nothing of any can have reached WeChat; `too-late` when something can. What could be
 * taken back, was.
 */
export async function cancelMessage(
  store: Store,
  { appid, id }: { appid: string; id: string },
  rememberMs: number,
): Promise<Cancellation> {
  const report = await readStatus(store, appid, id)
  if (report === null) return 'unknown'
  if (report.parts === undefined) return cancelOne(store, { appid, id }, rememberMs)
  let areAll = true
  for (const part of report.parts.toReversed()) {
    const result = await cancelOne(store, { appid, id: part }, rememberMs)
    areAll &&= result === 'cancelled'
  }
  return areAll ? 'cancelled' : 'too-late'
}

async function cancelOne(
  store: Store,
  { appid, id }: { appid: string; id: string },
  rememberMs: number,
): Promise<Cancellation> {
  const keys = appKeys(appid)
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const [state, fields] = await Promise.all([
      store.backend(appid, SEND_QUEUE).getState(id),
      store.redis.hgetall(keys.sendJob(id)),
    ])
    const job = readJobHash(fields)
    if (job === null) return cancellationOfEnded(store, appid, id)
    const report: StatusReport = {
      ...reportOfJob(appid, id, { job, state: String(state) }),
      status: 'cancelled',
      settledAt: new Date(store.clock.now()).toISOString(),
    }
    const touser = recipientIn(job.data)
    const lane = touser === undefined ? keys.lane('') : keys.lane(touser)
    const result = await runScript<Cancellation | 'gone' | 'changed'>(store.redis, {
      name: 'cancel',
      keys: [keys.sendJob(id), keys.sendLock(id), lane, keys.parkedLanes, keys.expiring, keys.ended(id)],
      args: [id, keys.sendJobs, fields['ats'] ?? '0', JSON.stringify(report), rememberMs, keys.idempotency],
    })
    if (result === 'cancelled' || result === 'too-late') return result
  }
  throw new OutboxError('WXO_UNAVAILABLE', 'the message keeps changing')
}

/** Cancelling twice is cancelling once; whatever else ended the message came first. */
async function cancellationOfEnded(store: Store, appid: string, id: string): Promise<Cancellation> {
  const report = await readStatus(store, appid, id)
  if (report === null) return 'unknown'
  return report.status === 'cancelled' ? 'cancelled' : 'too-late'
}
