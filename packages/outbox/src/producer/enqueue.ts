/**
 * Storing messages. A message exists once Redis has answered: its place in the lane, its job and its idempotency key appear
 * together or not at all, because one script (`send.lua`) makes them. Calls made at the same time share a script, in which
 * each message stands by itself: one that is refused refuses no other.
 *
 * The order of the calls is kept, because one connection carries the batches one after the other. A full batch leaves at
 * once, so that Redis works on it while the next is being made, and so does a message while no other is under way. The
 * rest leaves at the end of the turn of the event loop.
 *
 * A script that Redis does not know is sent again as a whole, by the client: nothing has been done then. Nothing else is
 * sent twice.
 */
import type { CheckedRequest, JobData } from '@wechat-outbox/messages'
import { OutboxError, storeError } from '../errors.ts'
import { COMMAND_WAIT_MS } from '../redis/connection.ts'
import { appKeys, idempotencyDigest, storeKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { within } from '../within.ts'

export interface NewMessage {
  readonly appid: string
  readonly id: string
  readonly data: JobData
  /** `ttlMs` counts from the later of now and `sendAt`. */
  readonly guard?: { readonly key: string; readonly fingerprint: string; readonly ttlMs: number }
}

export type Enqueued =
  | { readonly id: string; readonly duplicate: false; readonly stands: 'queued' | 'parked' | 'scheduled' }
  /** `ending`: what is noted of the first message's end; absent while it is open. */
  | { readonly id: string; readonly duplicate: true; readonly ending?: Ending }

export type Ending = 'delivered' | 'cancelled' | 'replayed' | 'discarded'

export interface Enqueuer {
  /** @throws OutboxError WXO_UNAVAILABLE, WXO_FULL, WXO_CONFLICT */
  enqueue(message: NewMessage): Promise<Enqueued>
}

/** Messages in one script: Redis serves nobody else while it runs, some 40 µs for each. */
const BATCH_MAX = 50
/** Messages that wait for Redis's answer in this process. Beyond that the producer has to slow down. */
const PENDING_MAX = 20_000

interface Pending {
  readonly message: NewMessage
  readonly resolve: (enqueued: Enqueued) => void
  readonly reject: (error: OutboxError) => void
}

/** `open` gives the store once Redis is ready, or rejects soon. */
export function createEnqueuer(open: () => Promise<Store>): Enqueuer {
  let waiting = new Map<string, Pending[]>()
  let pending = 0
  let isDue = false
  // Flushes that wait for the store: nobody may leave before them.
  let opening = 0
  let opened: Store | undefined

  function settled(batch: readonly Pending[]): void {
    pending -= batch.length
  }

  async function flush(): Promise<void> {
    const due = waiting
    waiting = new Map()
    isDue = false
    opening += 1
    try {
      opened = await open()
      for (const [appid, items] of due) {
        for (let from = 0; from < items.length; from += BATCH_MAX) {
          void write(opened, appid, items.slice(from, from + BATCH_MAX)).then(settled)
        }
      }
    } catch (error) {
      for (const items of due.values()) settled(refuse(items, error))
    } finally {
      opening -= 1
    }
  }

  function add(item: Pending): void {
    const { appid } = item.message
    const items = waiting.get(appid) ?? []
    if (items.push(item) === 1) waiting.set(appid, items)
    const hasCompany = pending > 1 && items.length < BATCH_MAX
    if (!hasCompany && opening === 0 && opened?.redis.status === 'ready') {
      waiting.delete(appid)
      void write(opened, appid, items).then(settled)
      return
    }
    if (isDue) return
    isDue = true
    setImmediate(() => void flush())
  }

  return {
    enqueue: (message) =>
      new Promise((resolve, reject) => {
        if (pending >= PENDING_MAX) {
          return reject(new OutboxError('WXO_UNAVAILABLE', `${PENDING_MAX} messages already wait for Redis's answer`))
        }
        pending += 1
        add({ message, resolve, reject })
      }),
  }
}

/** What `send.lua` says of one message. */
type Answer =
  | 'queued'
  | 'parked'
  | 'scheduled'
  | 'duplicate'
  | ['taken', id: string, fingerprint: string, ending: Ending | '']
  | ['failed', why: string]

/** Stores messages of one app. Returns them when each has its answer. */
async function write(store: Store, appid: string, batch: readonly Pending[]): Promise<readonly Pending[]> {
  try {
    const keys = appKeys(appid)
    const args = [keys.sendJobs, keys.lanes, keys.idempotency]
    for (const { message } of batch) args.push(...partsOf(message))
    const call = { name: 'send', keys: storeKeys(keys), args } as const
    const answers = await within(runScript<Answer[]>(store.redis, call), COMMAND_WAIT_MS, null)
    // Nobody can know whether Redis will still take them.
    if (answers === null) throw new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time')
    for (const [index, item] of batch.entries()) answer(item, answers[index])
    return batch
  } catch (error) {
    return refuse(batch, error)
  }
}

/** What the script takes for one message: text throughout, which the client puts into one piece. */
function partsOf({ id, data, guard }: NewMessage): string[] {
  const { msgtype, touser, sendAt = '', expiresAt = '' } = data
  const parts = [id, msgtype, touser, JSON.stringify(data), `${sendAt}`, `${expiresAt}`]
  if (guard === undefined) parts.push('', '', '')
  else parts.push(idempotencyDigest(guard.key), guard.fingerprint, `${Math.ceil(guard.ttlMs)}`)
  return parts
}

function answer(item: Pending, answered: Answer | undefined): void {
  const { message, resolve, reject } = item
  if (typeof answered === 'string') {
    // An id is drawn once: where a job has it already, the client has repeated the script.
    return resolve({ id: message.id, duplicate: false, stands: answered === 'duplicate' ? 'queued' : answered })
  }
  const [kind, what = 'Redis gave no answer', fingerprint, ending] = answered ?? []
  if (kind !== 'taken') return void refuse([item], new Error(what))
  if (fingerprint !== message.guard?.fingerprint) {
    return reject(new OutboxError('WXO_CONFLICT', `the idempotency key belongs to another message, ${what}`))
  }
  resolve({ id: what, duplicate: true, ...(ending ? { ending } : {}) })
}

function refuse(items: readonly Pending[], error: unknown): readonly Pending[] {
  const refused = storeError(error)
  for (const { reject } of items) reject(refused)
  return items
}

/** What a producer stores of a request: the key that guarded it has done its work. */
export function storedData(request: CheckedRequest): JobData {
  const { idempotencyKey: _key, ...rest } = request
  return { v: 1, ...rest }
}
