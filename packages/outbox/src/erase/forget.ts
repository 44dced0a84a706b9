/**
 * Erasing what stands of one person in an app. No index leads from a person to all of it, because every message would pay for that; so
 * the names of the app's keys are walked through, a page in each command, and whatever is the person's is removed, each by one
 * script. It may be interrupted and repeated; other people's messages keep their places.
 *
 * First goes what stands in the lane, the last of it first, so that nothing is let go on the way. A message that a worker holds stays,
 * and is reported.
 */
import type { StatusReport } from '@wechat-outbox/messages'
import { parseJson, recipientIn } from '../bullmq/job-hash.ts'
import { acceptanceOf } from '../dead-letters/acceptance.ts'
import { indexesOf, letterIn, personOf } from '../dead-letters/letter.ts'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { scanKeys } from '../redis/scan.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

/** What was found of a person, and removed unless nothing was to be changed. */
export interface Forgotten {
  /** Messages that were not sent: they are taken back. */
  readonly waiting: number
  /** Delivered messages, and those that a newer one has replaced. */
  readonly delivered: number
  readonly deadLetters: number
  /** What is remembered of messages that were cancelled, replayed or discarded. */
  readonly endings: number
  readonly idempotencyKeys: number
  /** What a receiver of callbacks is or was told of their messages. */
  readonly events: number
  readonly windows: number
  readonly collapseKeys: number
  /** Tasks that have ended and whose filter names the person. */
  readonly tasks: number
  /** Messages that a worker holds, and tasks that run and name the person. They stay: to be forgotten once they have ended. */
  readonly left: { readonly sending: number; readonly tasks: number }
}

export interface Forgetting {
  readonly appid: string
  readonly touser: string
  /** Only counts. False by default. */
  readonly dryRun?: boolean | undefined
}

/** Keys in one command, and scripts sent at once. */
const PAGE = 1000
/** In the place of an openid in what has to keep its form. */
const INSTEAD = 'forgotten'

/** @throws what Redis answers; what has been removed by then is gone */
export async function forgetPerson(store: Store, { appid, touser, dryRun = false }: Forgetting): Promise<Forgotten> {
  const keys = appKeys(appid)
  const erasure: Erasure = {
    store,
    keys,
    touser,
    dryRun,
    counts: { waiting: 0, delivered: 0, dead: 0, event: 0, endings: 0, idempotencyKeys: 0 },
    sending: new Set(),
    seen: new Set(),
    indexes: new Set(),
    queues: queuesOf({ store, keys, touser, dryRun }),
  }
  if (!dryRun) await eraseLane(erasure)
  await eraseEverywhere(erasure)
  // What has moved meanwhile from where it had not been looked for to where it had.
  if (!dryRun) await eraseLane(erasure)
  await eraseLetters(erasure)
  // Now no message and no letter is left that could end meanwhile, by a task or a worker.
  await eraseEndings(erasure)
  return eraseRest(erasure)
}

type Answer = [kind: 'gone' | 'ghost' | 'sending' | 'delivered' | 'waiting' | 'dead' | 'event', hasRecord?: string]

/** A queue whose jobs may be a person's, and whose they are. */
interface JobsOf {
  readonly prefix: string
  readonly personIn: (data: unknown) => string | undefined
  readonly forget: (id: string, data: unknown) => Promise<Answer>
}

interface Whose {
  readonly store: Store
  readonly keys: AppKeys
  readonly touser: string
  readonly dryRun: boolean
}

interface Erasure extends Whose {
  readonly counts: Record<'waiting' | 'delivered' | 'dead' | 'event' | 'endings' | 'idempotencyKeys', number>
  /** Names of jobs that a worker holds. */
  readonly sending: Set<string>
  /** Names that are counted: SCAN may name a key twice. */
  readonly seen: Set<string>
  /** Names of the person's indexes of dead letters. */
  readonly indexes: Set<string>
  readonly queues: readonly JobsOf[]
}

/** Every queue that may hold a person's jobs. */
function queuesOf(whose: Whose): readonly JobsOf[] {
  const { keys } = whose
  return [
    { prefix: keys.sendJobs, personIn: recipientIn, forget: (id) => forgetJob(whose, id) },
    {
      prefix: keys.deadJobs,
      personIn: (data) => personOf(letterIn(data)),
      forget: (id, data) => forgetLetter(whose, id, data),
    },
    { prefix: keys.callbackJobs, personIn: recipientIn, forget: (id) => forgetEvent(whose, id) },
  ]
}

function forgetJob({ store, keys, touser, dryRun }: Whose, id: string): Promise<Answer> {
  const prefix = keys.sendJobs
  return runScript(store.redis, {
    name: 'forget-job',
    keys: [prefix + id, `${prefix}${id}:lock`, keys.lane(touser), keys.parkedLanes, keys.expiring, keys.ended(id)],
    args: [id, prefix, keys.idempotency, dryRun ? '1' : ''],
  })
}

function forgetEvent({ store, keys, dryRun }: Whose, id: string): Promise<Answer> {
  const { callbackWait, callbackDelayed, callbackCompleted, callbackFailed, callbackJobs } = keys
  return runScript(store.redis, {
    name: 'forget-event',
    keys: [callbackWait, callbackDelayed, callbackCompleted, callbackFailed],
    args: [id, callbackJobs, dryRun ? '1' : ''],
  })
}

/** What was told of a message while others were looked for: SCAN need not name a key that was made meanwhile. */
async function forgetEventsOf(erasure: Erasure, id: string): Promise<void> {
  for (const ending of ['delivered', 'dead', 'expired-waiting']) {
    const event = `c-${id.slice(2)}-${ending}`
    counted(erasure, erasure.keys.callbackJob(event), await forgetEvent(erasure, event))
  }
}

function forgetLetter({ store, keys, touser, dryRun }: Whose, id: string, data: unknown): Promise<Answer> {
  const letter = letterIn(data)
  const message = letter?.messageId ?? `m-${id.slice(2)}`
  const indexes = letter === null ? [keys.deadByTime] : [...indexesOf(keys, letter), keys.deadWithoutContent]
  return runScript(store.redis, {
    name: 'forget-letter',
    keys: [keys.tasksOpen, keys.replaysDue, keys.replaysDueOf, keys.ended(message)],
    args: [
      id,
      keys.deadJobs,
      keys.idempotency,
      keys.tasks,
      acceptanceOf(id, letter),
      touser,
      message,
      JSON.stringify(indexes),
      dryRun ? '1' : '',
    ],
  })
}

function counted({ counts, sending, seen }: Erasure, key: string, [kind, hasRecord]: Answer): void {
  if (kind === 'gone' || kind === 'ghost' || seen.has(key)) return
  if (kind === 'sending') {
    sending.add(key)
    return
  }
  seen.add(key)
  sending.delete(key)
  counts[kind] += 1
  if (hasRecord === '1') counts.idempotencyKeys += 1
}

/** Those of the named jobs that are the person's. */
async function eraseJobs(erasure: Erasure, names: readonly string[]): Promise<void> {
  const { store, touser } = erasure
  for (const { prefix, personIn, forget } of erasure.queues) {
    const found = names.filter((name) => name.startsWith(prefix))
    const read = await Promise.all(found.map((name) => readJson(() => store.redis.hget(name, 'data'), touser)))
    for (const [n, name] of found.entries()) {
      if (read[n] === undefined || personIn(read[n]) !== touser) continue
      const id = name.slice(prefix.length)
      counted(erasure, name, await forget(id, read[n]))
      if (prefix !== erasure.keys.callbackJobs) await forgetEventsOf(erasure, id)
    }
  }
}

/** From its end on. */
async function eraseLane(erasure: Erasure): Promise<void> {
  const { store, keys, touser } = erasure
  for (;;) {
    const ids = (await store.redis.lrange(keys.lane(touser), -PAGE, -1)).toReversed()
    let removed = 0
    for (const id of ids) {
      const answer = await forgetJob(erasure, id)
      counted(erasure, keys.sendJob(id), answer)
      if (answer[0] !== 'gone' && answer[0] !== 'sending') removed += 1
    }
    if (removed === 0) return
  }
}

async function eraseEverywhere(erasure: Erasure): Promise<void> {
  const { store, keys, touser, indexes } = erasure
  const ofPerson = keys.deadByPerson(touser)
  const ofPersonAndReason = keys.deadByPersonAndReason(touser, '')
  for await (const names of scanKeys(store, { pattern: keys.everyKey, count: PAGE })) {
    await eraseJobs(erasure, names)
    for (const name of names) if (name === ofPerson || name.startsWith(ofPersonAndReason)) indexes.add(name)
  }
}

async function eraseEndings(erasure: Erasure): Promise<void> {
  const { store, keys, touser, dryRun, counts } = erasure
  const endings = new Set<string>()
  for await (const names of scanKeys(store, { pattern: keys.ended('*'), count: PAGE })) {
    const read = await Promise.all(names.map((name) => readJson(() => store.redis.get(name), touser)))
    for (const [n, name] of names.entries()) {
      if ((read[n] as Partial<StatusReport> | null | undefined)?.touser === touser) endings.add(name)
    }
  }
  counts.endings += endings.size
  if (endings.size === 0) return
  // They lead from a key to its person, so they go last: whoever is interrupted finds them again.
  await eraseIdempotencyKeys(erasure, endings)
  if (!dryRun) for (const chunk of chunks([...endings])) await store.redis.unlink(...chunk)
}

async function eraseIdempotencyKeys(erasure: Erasure, endings: ReadonlySet<string>): Promise<void> {
  const { store, keys, dryRun, counts, seen } = erasure
  for await (const names of scanKeys(store, { pattern: `${keys.idempotency}*`, count: PAGE })) {
    const ids = await Promise.all(names.map((name) => store.redis.hget(name, 'id')))
    const own = names.filter((name, n) => endings.has(keys.ended(ids[n] ?? '')) && !seen.has(name))
    for (const name of own) seen.add(name)
    counts.idempotencyKeys += own.length
    if (!dryRun && own.length > 0) await store.redis.unlink(...own)
  }
}

async function eraseLetters(erasure: Erasure): Promise<void> {
  const { store, keys, touser, dryRun, indexes } = erasure
  const ids = await store.redis.zrange(keys.deadByPerson(touser), '0', '-1')
  for (const chunk of chunks(ids)) await eraseJobs(erasure, chunk.map(keys.deadJob))
  if (dryRun) return
  // Letters that somebody has removed by hand are listed still, under names that hold the openid.
  for (const index of indexes) {
    for (const chunk of chunks(await store.redis.zrange(index, '0', '-1'))) {
      const there = await Promise.all(chunk.map((id) => store.redis.exists(keys.deadJob(id))))
      const gone = chunk.filter((_, n) => there[n] === 0)
      if (gone.length > 0) await store.redis.zrem(index, ...gone)
    }
  }
}

async function eraseRest({ store, keys, touser, dryRun, counts, sending }: Erasure): Promise<Forgotten> {
  const [windows, collapseKeys, tasks, running] = await runScript<[number, number, number, number]>(store.redis, {
    name: 'forget-person',
    keys: [
      keys.window(touser),
      keys.collapse + touser,
      keys.faultsInARow,
      keys.lane(touser),
      keys.parkedLanes,
      keys.replaysDueOf,
      keys.taskIds,
    ],
    args: [touser, keys.tasks, dryRun ? '1' : '', INSTEAD],
  })
  const { dead: deadLetters, event: events, ...others } = counts
  return {
    ...others,
    deadLetters,
    events,
    windows,
    collapseKeys,
    tasks,
    left: { sending: sending.size, tasks: running },
  }
}

/** The JSON that stands there, if it names the person at all: mostly it does not, and need not be read. */
async function readJson(read: () => Promise<string | null>, touser: string): Promise<unknown> {
  // What has another type is no job: one of BullMQ's lists.
  const json = await read().catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return null
    throw error
  })
  return json?.includes(touser) ? parseJson(json) : undefined
}

function* chunks<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += PAGE) yield all.slice(from, from + PAGE)
}
