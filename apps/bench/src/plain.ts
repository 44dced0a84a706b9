/**
 * The baseline: what a good engineer writes in an afternoon. BullMQ with retries and backoff and the same retention, undici
 * with as many connections as messages in work. No order, no idempotency, no record of a try, no log line per message.
 */
import { type ConnectionOptions, type JobsOptions, Queue } from 'bullmq'
import type { TextMessage } from './messages.ts'

export const PLAIN_QUEUE = 'send'
export const CONCURRENCY = 100

const JOB_OPTIONS: JobsOptions = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 1000 },
  // As long and as many as the outbox keeps.
  removeOnComplete: { age: 86_400, count: 10_000 },
  removeOnFail: { age: 30 * 86_400 },
}

export const plainConnection = (url: string): ConnectionOptions => ({ url, maxRetriesPerRequest: null })

export function openPlainQueue(url: string): Queue {
  return new Queue(PLAIN_QUEUE, { connection: { url }, defaultJobOptions: JOB_OPTIONS })
}

export async function addAll(queue: Queue, messages: readonly TextMessage[]): Promise<void> {
  await queue.addBulk(messages.map((data) => ({ name: data.msgtype, data })))
}
