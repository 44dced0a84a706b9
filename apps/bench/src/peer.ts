/**
 * The peer: pg-boss on PostgreSQL with `key_strict_fifo`, which keeps order per person as the outbox does and the baseline does not.
 * It is set as somebody would who knows it and wants it to be fast.
 */
import { PgBoss } from 'pg-boss'
import { messagesIn, type Shape, type TextMessage } from './messages.ts'

export const PEER_QUEUE = 'send'

/** Where the worker is told the URL, which holds a password. */
export const PEER_URL = 'BENCH_PEER_URL'

export interface PeerOptions {
  readonly far: string
  readonly fetchers: number
  /** How many messages a fetcher takes at once; it settles them together when all have been answered. */
  readonly batchSize: number
}

/** Nothing is scheduled here. The rest is as it comes, supervision included. */
export const openPeer = (url: string): PgBoss =>
  // A failed fetch is repeated at the next poll, as pg-boss does by itself; without a listener it would end the process.
  new PgBoss({ connectionString: url, schedule: false }).on('error', () => undefined)

/**
 * Jobs that are inserted together have the same time, and those of one key are then ordered by their ids. So the ids rise, as those of
 * a UUID of version 7 do.
 */
const jobId = (index: number): string => `00000000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`

/** Stores messages in a queue that has a table of its own and is new: what earlier turns have left slows nobody down. */
export async function fillPeer(url: string, { shape, count }: { shape: Shape; count: number }): Promise<void> {
  const boss = openPeer(url)
  await boss.start()
  await boss.deleteQueue(PEER_QUEUE)
  await boss.createQueue(PEER_QUEUE, {
    policy: 'key_strict_fifo',
    partition: true,
    // As often as the baseline tries, and as long as it keeps.
    retryLimit: 7,
    retryDelay: 1,
    retryBackoff: true,
    deleteAfterSeconds: 86_400,
  })
  let stored = 0
  for (const chunk of messagesIn(shape, { from: 0, count }, 500)) {
    const from = stored
    const job = (data: TextMessage, at: number) => ({ id: jobId(from + at), singletonKey: data.touser, data })
    await boss.insert(PEER_QUEUE, chunk.map(job))
    stored += chunk.length
  }
  // What PostgreSQL does by itself in its first minutes: plans that know the table, and an index that answers alone.
  await boss.getDb().executeSql('VACUUM ANALYZE')
  await boss.stop()
}
