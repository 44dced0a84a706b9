/**
 * Storing messages. A message exists once Redis has answered: its place in the lane, its job and its idempotency key appear
 * together or not at all, because one script (`send.lua`) makes them. Calls made at the same time share a script, in which
 * each message stands by itself: one that is refused refuses no other.
 *
 * A full batch leaves at once, so that Redis works on it while the next is being made, and so does a message while no other
 * is under way. The rest leaves at the end of the turn of the event loop.
 *
 * Per person, the order of the calls is kept: a message leaves once those to the same person that left before have their
 * answers. One connection alone does not keep it. The client repeats a script that Redis does not know, and one that a
 * Redis Cluster redirects or refuses while a slot moves, and a later batch may be stored before the repeat. In these cases
 * nothing has been done; nothing else is sent twice.
 */
import { NEW_KEY, OutboxError, storeError } from '../errors.ts'
import { COMMAND_WAIT_MS } from '../redis/connection.ts'
import { appKeys, idempotencyDigest, storeKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { within } from '../within.ts'
import type { NewMessage } from './new-message.ts'
import { createReplicaWait, type ReplicaWait } from './replica-wait.ts'
import { createStoredApps } from './stored-apps.ts'

export type Enqueued =
  | { readonly id: string; readonly duplicate: false; readonly stands: 'queued' | 'parked' | 'scheduled' }
  /** `ending`: what is noted of the first message's end; absent while it is open. */
  | { readonly id: string; readonly duplicate: true; readonly ending?: Ending }

export type Ending = 'delivered' | 'cancelled' | 'replayed' | 'discarded' | 'superseded'

export interface Enqueuer {
  /** @throws OutboxError WXO_UNAVAILABLE, WXO_FULL, WXO_CONFLICT */
  enqueue(message: NewMessage): Promise<Enqueued>
}

/** Messages in one script: Redis serves nobody else while it runs, some 40 µs for each. */
const BATCH_MAX = 50
const jobsOf = ({ message: { followers } }: Pending): number => 1 + (followers?.length ?? 0)
/** Messages that wait for Redis's answer in this process. Beyond that the producer has to slow down. */
const PENDING_MAX = 20_000

interface Pending {
  readonly message: NewMessage
  /** When it was called, of `performance.now()`. */
  readonly since: number
  readonly resolve: (enqueued: Enqueued) => void
  readonly reject: (error: OutboxError) => void
}

/**
 * `open` gives the store once Redis is ready, or rejects soon. `replicated`: what is not known to have reached a replica is
 * WXO_UNAVAILABLE, and may be stored.
 */
export function createEnqueuer(open: () => Promise<Store>, { replicated = false } = {}): Enqueuer {
  let waiting = new Map<string, Pending[]>()
  let pending = 0
  let isDue = false
  // Flushes that wait for the store: nobody may leave before them.
  let opening = 0
  let opened: Store | undefined
  const settled = (batch: readonly Pending[]): void => {
    pending -= batch.length
  }
  const store = createWriter(replicated ? createReplicaWait() : undefined, settled)

  async function flush(): Promise<void> {
    const due = waiting
    waiting = new Map()
    isDue = false
    opening += 1
    try {
      opened = await open()
      for (const [appid, items] of due) store(opened, appid, items)
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
      return store(opened, appid, items)
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
        add({ message, since: performance.now(), resolve, reject })
      }),
  }
}

/** What writes messages of an app in batches. `settled` is called for messages that have their answers. */
function createWriter(
  replicaWait: ReplicaWait | undefined,
  settled: (items: readonly Pending[]) => void,
): (into: Store, appid: string, items: readonly Pending[]) => void {
  const noteApp = createStoredApps()
  /** Of each person of an app: the batch that is under way, and what waits until it has its answer. */
  const underWay = new Map<string, { readonly batch: readonly Pending[]; readonly behind: Pending[] }>()
  const personOf = (appid: string, { message }: Pending): string => `${appid} ${message.data.touser}`

  function writeAll(where: Where, items: readonly Pending[]): void {
    for (const batch of batchesOf(where.appid, items)) void writeBatch(where, batch)
  }

  /** Of some 50 jobs at most: a message and its followers are not parted. */
  function batchesOf(appid: string, items: readonly Pending[]): readonly (readonly Pending[])[] {
    const batches: Pending[][] = []
    let batch: Pending[] = []
    let jobs = 0
    for (const item of items) {
      if (jobs > 0 && jobs + jobsOf(item) > BATCH_MAX) {
        batch = []
        jobs = 0
      }
      const person = personOf(appid, item)
      const before = underWay.get(person)
      if (before !== undefined && before.batch !== batch) {
        before.behind.push(item)
        continue
      }
      if (before === undefined) underWay.set(person, { batch, behind: [] })
      if (batch.push(item) === 1) batches.push(batch)
      jobs += jobsOf(item)
    }
    return batches
  }

  async function writeBatch(where: Where, batch: readonly Pending[]): Promise<void> {
    const refused = await write(where, batch)
    settled(batch)
    const next: Pending[] = []
    for (const item of batch) {
      const person = personOf(where.appid, item)
      next.push(...(underWay.get(person)?.behind ?? []))
      underWay.delete(person)
    }
    if (next.length === 0) return
    // A Redis that is away or refuses would refuse these as well, and they have waited already.
    if (refused !== undefined) return settled(refuse(next, refused))
    // People get their turns in the order of the calls, as far as nobody waits for it.
    next.sort((one, other) => one.since - other.since)
    const latest = performance.now() - COMMAND_WAIT_MS
    const isLate = ({ since }: Pending): boolean => since <= latest
    const late = next.filter(isLate)
    if (late.length > 0) settled(refuse(late, noAnswer()))
    writeAll(where, late.length > 0 ? next.filter((item) => !isLate(item)) : next)
  }

  return (into, appid, items) => {
    noteApp(into, appid)
    writeAll({ store: into, appid, replicaWait }, items)
  }
}

/** What `send.lua` says of one message. */
type Answer =
  | 'queued'
  | 'parked'
  | 'scheduled'
  | 'duplicate'
  | 'closed'
  | ['taken', id: string, fingerprint: string, ending: Ending | '']
  | ['failed', why: string]

interface Where {
  readonly store: Store
  readonly appid: string
  readonly replicaWait: ReplicaWait | undefined
}

/** Stores messages of one app, and returns when each has its answer. @returns why all of them were refused, if they were */
async function write(where: Where, batch: readonly Pending[]): Promise<OutboxError | undefined> {
  try {
    const stored = await within(storeAll(where, batch), COMMAND_WAIT_MS, null)
    // Nobody can know whether Redis will still take them.
    if (stored === null) throw noAnswer()
    for (const [index, item] of batch.entries()) answer(item, stored.answers[index], stored.isKept)
    return undefined
  } catch (error) {
    const refused = storeError(error)
    refuse(batch, refused)
    return refused
  }
}

/** `isKept`: they are where they have to be, on a replica too if that is asked for. */
async function storeAll(
  { store, appid, replicaWait }: Where,
  batch: readonly Pending[],
): Promise<{ answers: readonly Answer[]; isKept: boolean }> {
  const keys = appKeys(appid)
  const args = [keys.sendJobs, keys.lanes, keys.idempotency, keys.windowsOf, keys.collapse]
  for (const { message } of batch) args.push(...argumentsOf(message))
  const confirm = replicaWait?.(store.redis, keys.sendJobs)
  const answers = await runScript<Answer[]>(store.redis, {
    name: 'send',
    keys: [...storeKeys(keys), keys.sendCompleted],
    args,
  })
  return { answers, isKept: confirm === undefined || (await confirm()) }
}

/** What the script takes for one message: text throughout, which the client puts into one piece. */
function argumentsOf({ id, data, onClosed, collapseKey = '', guard, followers = [] }: NewMessage): string[] {
  const { msgtype, touser, sendAt = '', expiresAt = '' } = data
  const taken = [
    `${followers.length}`,
    id,
    msgtype,
    touser,
    JSON.stringify(data),
    `${sendAt}`,
    `${expiresAt}`,
    onClosed ?? '',
    collapseKey,
  ]
  if (guard === undefined) taken.push('', '', '')
  else taken.push(idempotencyDigest(guard.key), guard.fingerprint, `${Math.ceil(guard.ttlMs)}`)
  for (const follower of followers) taken.push(follower.id, JSON.stringify(follower.data))
  return taken
}

function answer(item: Pending, answered: Answer | undefined, isKept: boolean): void {
  const { message, resolve, reject } = item
  const done = (enqueued: Enqueued): void => (isKept ? resolve(enqueued) : reject(notReplicated()))
  if (answered === 'closed') return reject(new OutboxError('WXO_WINDOW_CLOSED', WINDOW_CLOSED))
  if (typeof answered === 'string') {
    // An id is drawn once: where a job has it already, the client has repeated the script.
    return done({ id: message.id, duplicate: false, stands: answered === 'duplicate' ? 'queued' : answered })
  }
  const [kind, what = 'Redis gave no answer', fingerprint, ending] = answered ?? []
  if (kind !== 'taken') return void refuse([item], new Error(what))
  if (fingerprint !== message.guard?.fingerprint) {
    return reject(
      new OutboxError('WXO_CONFLICT', `the idempotency key belongs to another message, ${what}: ${NEW_KEY}`),
    )
  }
  done({ id: what, duplicate: true, ...(ending ? { ending } : {}) })
}

const WINDOW_CLOSED = 'the reply window of the recipient is closed: WeChat takes nothing until the user acts'

const noAnswer = (): OutboxError => new OutboxError('WXO_UNAVAILABLE', 'Redis did not answer in time')

const notReplicated = (): OutboxError =>
  new OutboxError('WXO_UNAVAILABLE', 'Redis has stored the message, and no replica has confirmed it in time')

function refuse(items: readonly Pending[], error: unknown): readonly Pending[] {
  const refused = storeError(error)
  for (const { reject } of items) reject(refused)
  return items
}
