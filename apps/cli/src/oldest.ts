/**
 * How long the oldest message that could be sent has been waiting. Retried and woken messages join the back of the queue,
 * so the front is not always the oldest: a bounded number from each list is looked at, those next in line first.
 */
import { readJobData } from '@wechat-outbox/messages'
import { SEND_QUEUE, type Store } from '@wechat-outbox/outbox/engine'

const LOOKED_AT_MAX = 200

/** Null when nothing waits. A message with a `sendAt` waits from then on, and not at all before. */
export async function oldestWaitingMs(store: Store, appid: string, nowMs: number): Promise<number | null> {
  const backend = store.backend(appid, SEND_QUEUE)
  const lists = await Promise.all([
    backend.getRanges(['waiting'], 0, LOOKED_AT_MAX - 1, true),
    backend.getRanges(['delayed'], 0, LOOKED_AT_MAX - 1, true),
  ])
  const ids = [...new Set(lists.flat(2))]
  const sinces = await Promise.all(
    ids.map(async (id) => {
      const [timestamp, data] = await store.redis.hmget(backend.toKey(id), 'timestamp', 'data')
      return waitsSince(timestamp, data)
    }),
  )
  const due = sinces.filter((since) => since <= nowMs)
  return due.length === 0 ? null : nowMs - Math.min(...due)
}

/** Epoch ms, or infinity for a job that has just gone. */
function waitsSince(timestamp: string | null | undefined, data: string | null | undefined): number {
  if (!timestamp) return Infinity
  return Math.max(Number(timestamp), sendAtOf(data ?? ''))
}

function sendAtOf(data: string): number {
  try {
    const read = readJobData(JSON.parse(data))
    return read.kind === 'ok' ? (read.data.sendAt ?? 0) : 0
  } catch {
    return 0
  }
}
