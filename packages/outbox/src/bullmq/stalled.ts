/** Taking over the messages of workers that died: BullMQ's own script, for queues of which there may be no Worker here. */
import type { RedisQueueBackend } from 'bullmq'

/** Nothing dies of stalling: the `sending` mark tells whether a run can have sent anything, however often one died. */
export const STALLED_COUNT_MAX = 1_000_000_000

/** One look: what stood without a lock at the last one and still does waits again. Returns its ids. @throws what Redis answers */
export async function takeOverStalled(backend: RedisQueueBackend, intervalMs: number): Promise<string[]> {
  const names = ['stalled', 'wait', 'active', 'stalled-check', 'meta', 'paused', 'marker', 'events', 'repeat']
  const client = await backend.client
  // Where another program has spoilt what waits, BullMQ's script fails between the two lists, and the job would stand in neither.
  await client.llen(backend.toKey('wait'))
  const args = [STALLED_COUNT_MAX, backend.toKey(''), Date.now(), intervalMs]
  return backend.execCommand(client, 'moveStalledJobsToWait', [...names.map((name) => backend.toKey(name)), ...args])
}
