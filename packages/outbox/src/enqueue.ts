/**
 * Storing messages. A message exists once its MULTI has been answered: its place in the lane and its job appear together
 * or not at all. Calls made at the same time share a round trip, in the order of the calls, because one connection and
 * one batch at a time keep it.
 *
 *   without a key   RPUSH lane, BullMQ's add
 *   with a key      guard-send, BullMQ's add, unguard    (50 concurrent repeats are one message in one round trip)
 */
import type { CheckedRequest, JobData } from '@wechat-outbox/messages'
import { OutboxError, storeError } from './errors.ts'
import { appKeys, SEND_QUEUE } from './keys.ts'
import { COMMAND_WAIT_MS } from './redis.ts'
import { runScript } from './scripts.ts'
import { addJob, execute, type Store, type Transaction } from './store.ts'

export interface NewMessage {
  readonly appid: string
  readonly id: string
  readonly data: JobData
  readonly acceptedAt: number
  readonly guard?: { readonly key: string; readonly fingerprint: string; readonly ttlMs: number }
}

export type Enqueued = { readonly id: string; readonly duplicate: boolean }

export interface Enqueuer {
  /** @throws OutboxError WXO_UNAVAILABLE, WXO_FULL, WXO_CONFLICT */
  enqueue(message: NewMessage): Promise<Enqueued>
}

/** Messages in one MULTI: Redis serves nobody else while it runs. */
const BATCH_MAX = 500
/** Messages that wait for Redis's answer in this process. Beyond that the producer has to slow down. */
const PENDING_MAX = 20_000

interface Pending {
  readonly message: NewMessage
  readonly resolve: (enqueued: Enqueued) => void
  readonly reject: (error: OutboxError) => void
}

/** `open` gives the store once Redis is ready, or rejects soon. */
export function createEnqueuer(open: () => Promise<Store>): Enqueuer {
  const waiting: Pending[] = []
  let pending = 0
  let scheduled = false

  function flush(): void {
    scheduled = false
    const batches: Pending[][] = []
    while (waiting.length > 0) batches.push(waiting.splice(0, BATCH_MAX))
    for (const batch of batches) void write(open, batch).finally(() => (pending -= batch.length))
  }

  return {
    enqueue: (message) =>
      new Promise((resolve, reject) => {
        if (pending >= PENDING_MAX) {
          return reject(new OutboxError('WXO_UNAVAILABLE', `${PENDING_MAX} messages already wait for Redis's answer`))
        }
        pending += 1
        waiting.push({ message, resolve, reject })
        if (!scheduled) {
          scheduled = true
          setImmediate(flush)
        }
      }),
  }
}

/** One transaction per app, because a transaction lies in one slot. */
async function write(open: () => Promise<Store>, batch: readonly Pending[]): Promise<void> {
  const byApp = new Map<string, Pending[]>()
  for (const item of batch) {
    const part = byApp.get(item.message.appid)
    if (part === undefined) byApp.set(item.message.appid, [item])
    else part.push(item)
  }
  await Promise.all([...byApp.values()].map((part) => writeApp(open, part)))
}

async function writeApp(open: () => Promise<Store>, batch: readonly Pending[]): Promise<void> {
  try {
    const store = await open()
    const multi = store.multi()
    const counts = batch.map(({ message }) => queueMessage(store, multi, message))
    const answers = await within(execute(multi), COMMAND_WAIT_MS)
    if (answers === null) throw new OutboxError('WXO_UNAVAILABLE', 'Redis did not take the transaction')
    let at = 0
    for (const [index, item] of batch.entries()) {
      answer(item, answers[at])
      at += counts[index] ?? 0
    }
  } catch (error) {
    const refused = storeError(error)
    for (const { reject } of batch) reject(refused)
  }
}

/** Queues the commands for one message and returns how many they are. The first of them carries the answer. */
function queueMessage(store: Store, multi: Transaction, message: NewMessage): number {
  const { appid, id, data, acceptedAt, guard } = message
  const keys = appKeys(appid)
  const job = keys.sendJob(id)
  const delayMs = Math.max(0, (data.sendAt ?? 0) - acceptedAt)
  const lane = keys.lane(data.touser)
  const newJob = { id, name: data.msgtype, data, timestamp: acceptedAt, ...(delayMs > 0 ? { delayMs } : {}) }
  const backend = store.backend(appid, SEND_QUEUE)
  if (guard === undefined) {
    // A scheduled message joins the lane when it becomes due: until then it holds nobody up.
    if (delayMs === 0) multi.rpush(lane, id)
    addJob(multi, backend, newJob)
    return (delayMs === 0 ? 2 : 1) + queueExpiry(multi, message)
  }
  const args = [id, guard.fingerprint, guard.ttlMs, delayMs === 0 ? 1 : 0]
  void runScript(multi, { name: 'guard-send', keys: [keys.idempotency(guard.key), job, lane], args })
  addJob(multi, backend, newJob)
  void runScript(multi, { name: 'unguard', keys: [job], args: [] })
  return 3 + queueExpiry(multi, message)
}

/** Noted for the sweep, which finds those that expire while their app is held. An id that came to nothing it drops. */
function queueExpiry(multi: Transaction, { appid, id, data }: NewMessage): number {
  if (data.expiresAt === undefined) return 0
  multi.zadd(appKeys(appid).expiring, data.expiresAt, id)
  return 1
}

function answer({ message, resolve, reject }: Pending, first: unknown): void {
  if (message.guard === undefined || !Array.isArray(first) || first[0] === 'new') {
    return resolve({ id: message.id, duplicate: false })
  }
  const [, id, fingerprint] = first as [string, string, string]
  if (fingerprint === message.guard.fingerprint) return resolve({ id, duplicate: true })
  reject(new OutboxError('WXO_CONFLICT', `the idempotency key belongs to another message, ${id}`))
}

/** What a producer stores of a request: the key that guarded it has done its work. */
export function storedData(request: CheckedRequest): JobData {
  const { idempotencyKey: _key, ...rest } = request
  return { v: 1, ...rest }
}

/** Rejects after `ms`. The promise itself goes on: nobody can know whether Redis will still take the command. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time')), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
