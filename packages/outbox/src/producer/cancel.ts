/**
 * Taking a message back. Allowed only while nothing of it can have reached WeChat: a message that is being sent, was
 * sent, or whose worker once died holding it is too late to cancel.
 */
import type { StatusReport } from '@wechat-outbox/messages'
import { readJobData } from '@wechat-outbox/messages'
import { isWaiting, readJobHash } from '../bullmq/job-hash.ts'
import type { Judge } from '../redis/judge.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import { removeJob, type Store } from '../redis/store.ts'
import { readStatus, reportOfJob } from './status.ts'

export type Cancellation = 'cancelled' | 'too-late' | 'unknown'

/** `rememberMs`: for how long `status` still tells that it was cancelled. */
export function cancelMessage(
  judge: Judge,
  message: { appid: string; id: string },
  rememberMs: number,
): Promise<Cancellation> {
  const { appid, id } = message
  const keys = appKeys(appid)
  return judge.step<Cancellation>([keys.sendJob(id), keys.sendLock(id)], async (store) => {
    const backend = store.backend(appid, SEND_QUEUE)
    const [state, fields, lock] = await Promise.all([
      backend.getState(id),
      store.redis.hgetall(keys.sendJob(id)),
      store.redis.exists(keys.sendLock(id)),
    ])
    const job = readJobHash(fields)
    if (job === null) return { result: await cancellationOfEnded(store, appid, id) }
    if (!isWaiting(state) || lock === 1 || job.settled || job.stalledCount > 0) return { result: 'too-late' }
    const report: StatusReport = {
      ...reportOfJob(appid, id, { job, state: String(state) }),
      status: 'cancelled',
      settledAt: new Date().toISOString(),
    }
    return {
      result: 'cancelled',
      build(multi) {
        removeJob(multi, backend, id)
        multi.set(keys.ended(id), JSON.stringify(report), 'PX', rememberMs)
        const read = readJobData(job.data)
        if (read.kind !== 'ok') return
        void runScript(multi, {
          name: 'unlane',
          keys: [keys.lane(read.data.touser), keys.heldLanes],
          args: [id, keys.sendJobs],
        })
      },
    }
  })
}

/** Cancelling twice is cancelling once; whatever else ended the message came first. */
async function cancellationOfEnded(store: Store, appid: string, id: string): Promise<Cancellation> {
  const report = await readStatus(store, appid, id)
  if (report === null) return 'unknown'
  return report.status === 'cancelled' ? 'cancelled' : 'too-late'
}
