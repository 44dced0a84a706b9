/** Taking over the messages of workers that died: BullMQ's own script, for queues of which there may be no Worker here. */
import type { RedisQueueBackend } from 'bullmq'
import type { RedisClient } from '../redis/connection.ts'

/** Nothing dies of stalling: the `sending` mark tells whether a run can have sent anything, however often one died. */
export const STALLED_COUNT_MAX = 1_000_000_000

export interface Look {
  /** Sooner after another look, whoever made it, this one does nothing. */
  readonly everyMs: number
  /** What this look finds is forgotten after so long. */
  readonly rememberMs: number
}

/**
 * One look: what stood without a lock at the last one and still does waits again. Returns its ids. What the last one found is
 * forgotten where Redis was away since then, so that a look that has waited in the client meanwhile takes nothing over.
 * @throws what Redis answers
 */
export async function takeOverStalled(
  redis: RedisClient,
  backend: RedisQueueBackend,
  { everyMs, rememberMs }: Look,
): Promise<string[]> {
  const names = ['stalled', 'wait', 'active', 'stalled-check', 'meta', 'paused', 'marker', 'events', 'repeat']
  const client = await backend.client
  // Where another program has spoilt what waits, BullMQ's script fails between the two lists, and the job would stand in neither.
  await client.llen(backend.toKey('wait'))
  const args = [STALLED_COUNT_MAX, backend.toKey(''), Date.now(), everyMs]
  const looked: Promise<string[]> = backend.execCommand(client, 'moveStalledJobsToWait', [
    ...names.map((name) => backend.toKey(name)),
    ...args,
  ])
  // Written together, so that nothing comes between.
  const [ids] = await Promise.all([looked, redis.pexpire(backend.toKey('stalled'), rememberMs)])
  return ids
}
