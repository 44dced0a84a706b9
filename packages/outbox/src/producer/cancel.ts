/**
 * Taking a message back. Allowed only while nothing of it can have reached WeChat: a message that is being sent, was
 * sent, of which an earlier call ended unsure, or whose worker once died holding it is too late to cancel.
 *
 * The id of a text that was cut into parts is that of the first, and cancelling it takes all of them back: the last first, so that a
 * person who gets some of them gets the beginning.
 */
import { PARTS_MAX, partIdsOf, type StatusReport } from '@wechat-outbox/messages'
import { recipientIn } from '../bullmq/job-hash.ts'
import { OutboxError } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { type Found, findMessage } from './status.ts'

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
  const found = await findMessage(store, appid, id)
  const report = found.job?.report ?? found.ended
  const others = report === null ? await partsLeft(store, message) : (report.parts ?? []).slice(1)
  const results: Cancellation[] = []
  for (const part of others.toReversed()) {
    results.push(
      await cancelOne(store, { appid, id: part }, { rememberMs, found: await findMessage(store, appid, part) }),
    )
  }
  const own = await cancelOne(store, message, { rememberMs, found })
  if (others.length === 0) return own
  // The first is taken back last, and remembered for as long as its key lives: the others were taken back before it.
  return own === 'cancelled' && !results.includes('too-late') ? 'cancelled' : 'too-late'
}

/** The later parts of a text whose first nobody remembers: it was delivered, and they wait for their user. */
async function partsLeft({ redis }: Store, { appid, id }: Message): Promise<readonly string[]> {
  const keys = appKeys(appid)
  const ids = partIdsOf({ n: 1, of: PARTS_MAX, first: id }).slice(1)
  if ((await redis.exists(...ids.map(keys.sendJob))) === 0) return []
  const left = await Promise.all(ids.map((part) => redis.exists(keys.sendJob(part))))
  return ids.filter((_, index) => left[index] === 1)
}

/** `found`: what its caller has just seen of the message. */
async function cancelOne(
  store: Store,
  { appid, id }: Message,
  { rememberMs, found }: { rememberMs: number; found: Found },
): Promise<Cancellation> {
  const keys = appKeys(appid)
  let { job, ended } = found
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (job === null) return cancellationOf(ended)
    const settledAt = new Date(await store.clock.read()).toISOString()
    const report: StatusReport = { ...job.report, status: 'cancelled', settledAt }
    const lane = keys.lane(recipientIn(job.job.data) ?? '')
    const result = await runScript<Cancellation | 'gone' | 'changed'>(store.redis, {
      name: 'cancel',
      keys: [keys.sendJob(id), keys.sendLock(id), lane, keys.parkedLanes, keys.expiring, keys.ended(id)],
      args: [id, keys.sendJobs, job.fetches, JSON.stringify(report), rememberMs, keys.idempotency],
    })
    if (result === 'cancelled' || result === 'too-late') return result
    ;({ job, ended } = await findMessage(store, appid, id))
  }
  throw new OutboxError('WXO_UNAVAILABLE', 'the message keeps changing')
}

/** Of a message whose job is gone. Cancelling twice is cancelling once; whatever else ended it came first. */
function cancellationOf(report: StatusReport | null): Cancellation {
  if (report === null) return 'unknown'
  return report.status === 'cancelled' ? 'cancelled' : 'too-late'
}
