/**
 * From dead letters to new messages. Whoever retries a dead letter's job – the dashboard's button, HTTP, plain
 * `job.retry()` – makes it waiting in its queue, and whatever waits there is replayed, oldest first by acceptance: it is moved
 * to a sorted set, all of it before the first is replayed, because it waits in the order in which it was asked for.
 * Tasks have a sorted set of that kind each (`tasks/`).
 *
 * One script stores the new messages of many letters and removes the letters, each by itself. There is no moment in
 * between, and so nothing to take over from a worker that dies; two workers at once find each letter once.
 *
 * Single replays and tasks go on side by side, each at its own rate. A person's order is kept all the same: before a letter is
 * replayed, the letters to the same person that were accepted before it are, wherever they wait.
 */
import {
  type DeadLetter,
  type JobData,
  readJobData,
  reasonLine,
  replayIdOf,
  type StatusReport,
} from '@wechat-outbox/messages'
import { reportOfDeadLetter } from '../producer/status.ts'
import { type AppKeys, appKeys, storeKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { acceptanceOf, idInAcceptance } from './acceptance.ts'
import { indexesOf, personOf, wholeLetterIn } from './letter.ts'
import { readLetterData, readLetterJob } from './read.ts'
import { type NotReplayable, notReplayableText, refusedReasonLine, whyNotReplayable } from './replayable.ts'
import { memoryOf, replayedData } from './replayed.ts'

export interface ReplayOptions {
  readonly store: Store
  readonly appid: string
  /** For how long the status of a dead message still reports what it was replayed as, at least. */
  readonly rememberMs: number
  /** Replays per second, over all workers of the app. 0: no limit. */
  readonly perSecond: number
}

export interface Replayed {
  readonly replayed: readonly { readonly id: string; readonly replayOf: string }[]
  /** What cannot be replayed, and is a dead letter as before. */
  readonly refused: readonly { readonly id: string; readonly why: string }[]
  /** There is more to replay than was: again after so many ms; undefined when nothing is left. */
  readonly againMs: number | undefined
  /** Ids of the tasks that have nothing left to do now. */
  readonly ended: readonly string[]
}

/** Letters in one script: Redis serves nobody else while it runs, some 0.2 ms for each. */
const BATCH = 50
/** Letters that are only moved, in one script. */
const TAKEN_BATCH = 200
/** For so long what a task has replayed can be taken back, from its last letter on. */
const REPLAYED_MS = 86_400_000

/** Stands for the single replays where a task has its id. */
const SINGLE = ''

/** How many dead letters somebody has retried that are not yet put in order. */
export function countRetried({ store, appid }: Pick<ReplayOptions, 'store' | 'appid'>): Promise<number> {
  return store.redis.llen(appKeys(appid).deadWait)
}

/** Replays the oldest of the dead letters that somebody has retried, a batch of them. `tasks`: what else is being replayed. */
export async function replayRetried(options: ReplayOptions, tasks: readonly string[] = []): Promise<Replayed> {
  await takeRetried(options.store, options.appid)
  return replayBatch(options, { turn: SINGLE, others: tasks, max: BATCH })
}

/** Replays the oldest letters of a task, a batch of them. `tasks`: all that are being replayed. */
export function replayOfTask(
  options: ReplayOptions,
  task: { readonly id: string; readonly perSecond: number },
  tasks: readonly string[],
): Promise<Replayed> {
  const others = [SINGLE, ...tasks.filter((id) => id !== task.id)]
  return replayBatch(options, { turn: task.id, others, max: batchOf(task.perSecond) })
}

/** What a rate lets through before it asks to wait, and some more: the others would be read for nothing. */
export function batchOf(perSecond: number): number {
  return perSecond === 0 ? BATCH : Math.min(BATCH, Math.ceil(perSecond / 10) + 1)
}

/** A letter where it waits: in a task, or among the single replays. */
interface Waiting {
  readonly task: string
  readonly acceptance: string
  readonly id: string
  /** Known where it was found by its person; the letter may be gone. */
  readonly person?: string
}

interface WaitingLetter extends Waiting {
  readonly letter: DeadLetter | null
  readonly idem: string | undefined
}

interface Turn {
  /** The task whose letters are replayed, or `SINGLE`. */
  readonly turn: string
  /** Where else letters wait. */
  readonly others: readonly string[]
  readonly max: number
}

async function replayBatch(options: ReplayOptions, { turn, others, max }: Turn): Promise<Replayed> {
  const { store, appid, rememberMs, perSecond } = options
  const keys = appKeys(appid)
  const nothing = { replayed: [], refused: [], againMs: undefined, ended: [] }
  if ((await store.redis.hget(`${keys.deadJobs}meta`, 'paused')) !== null) return nothing
  const found = await store.redis.zrange(waitingKeys(keys, turn).letters, '0', String(max - 1))
  // A task without letters has to be ended all the same.
  if (found.length === 0 && turn === SINGLE) return nothing
  const own = await readLetters(store, appid, found.map(waitingIn(turn)))
  const older = await readLetters(store, appid, await olderElsewhere(store, keys, { own, others }))
  const batch = [...own, ...older].toSorted(byAcceptance).slice(0, BATCH)
  const now = store.clock.now()
  const [waitMs, ended, ...answers] = await runScript<[number, string[], ...Answer[]]>(store.redis, {
    name: 'replay',
    keys: [...storeKeys(keys), keys.replaysDue, keys.replaysDueOf, keys.replayRate, keys.tasksOpen],
    args: [
      keys.sendJobs,
      keys.lanes,
      keys.idempotency,
      keys.deadJobs,
      rememberMs,
      perSecond,
      keys.tasks,
      turn,
      REPLAYED_MS,
      ...batch.flatMap((one) => partsOf(keys, one, { appid, now })),
    ],
  })
  const hasMore = found.length === max || older.length > 0
  return { ...readAnswers(batch, answers, { waitMs, hasMore }), ended }
}

const waitingKeys = (keys: AppKeys, task: string): { letters: string; of: string } =>
  task === SINGLE
    ? { letters: keys.replaysDue, of: keys.replaysDueOf }
    : { letters: keys.taskLetters(task), of: keys.taskLettersOf(task) }

const waitingIn =
  (task: string) =>
  (acceptance: string): Waiting => ({ task, acceptance, id: idInAcceptance(acceptance) })

const byAcceptance = (one: Waiting, other: Waiting): number =>
  one.acceptance === other.acceptance ? 0 : one.acceptance < other.acceptance ? -1 : 1

async function readLetters(store: Store, appid: string, waiting: readonly Waiting[]): Promise<WaitingLetter[]> {
  return Promise.all(
    waiting.map(async (one) => {
      const { data, idem } = await readLetterJob(store, appid, one.id)
      const letter = wholeLetterIn(data)
      const person = one.person ?? personOf(data as DeadLetter)
      return { ...one, letter, idem, ...(person === undefined ? {} : { person }) }
    }),
  )
}

/** Letters to the same people that were accepted before and wait elsewhere: of each person the first, as many as one script takes. */
async function olderElsewhere(
  { redis }: Store,
  keys: AppKeys,
  { own, others }: { own: readonly WaitingLetter[]; others: readonly string[] },
): Promise<Waiting[]> {
  // The last of each person's stays: they are in order.
  const lastOf = new Map<string, string>()
  for (const { person, acceptance } of own) {
    if (person !== undefined) lastOf.set(person, acceptance)
  }
  const asked = others.flatMap((task) => {
    const { of } = waitingKeys(keys, task)
    return [...lastOf].map(async ([person, acceptance]) => {
      const before = `${person}:`
      const found = await redis.zrangebylex(of, `[${before}`, `(${before}${acceptance}`, 'LIMIT', 0, BATCH)
      return found.map((member) => ({ ...waitingIn(task)(member.slice(before.length)), person }))
    })
  })
  return (await Promise.all(asked)).flat()
}

/** Whatever was retried before this began is sorted when it ends, also by another worker that does the same meanwhile. */
async function takeRetried(store: Store, appid: string): Promise<void> {
  const { redis } = store
  const keys = appKeys(appid)
  if ((await redis.hget(`${keys.deadJobs}meta`, 'paused')) !== null) return
  for (let left = await redis.llen(keys.deadWait); left > 0; ) {
    // BullMQ puts at the left what is retried.
    const ids = (await redis.lrange(keys.deadWait, String(-TAKEN_BATCH), '-1')).toReversed()
    const letters = await Promise.all(ids.map((id) => readLetterData(store, appid, id)))
    const args = ids.flatMap((id, n) => {
      const letter = letters[n] as DeadLetter | undefined
      return [id, acceptanceOf(id, letter), personOf(letter) ?? '']
    })
    const into = [keys.replaysDue, keys.replaysDueOf]
    left = await runScript<number>(redis, { name: 'take-retried', keys: [keys.deadWait, ...into], args })
  }
}

type Answer = string | [string, string]

function readAnswers(
  batch: readonly WaitingLetter[],
  answers: readonly Answer[],
  { waitMs, hasMore }: { waitMs: number; hasMore: boolean },
): Omit<Replayed, 'ended'> {
  const ids = batch.map(({ id }) => id)
  const replayed = ids.filter((_, n) => answers[n] === 'replayed').map((id) => ({ id: replayIdOf(id), replayOf: id }))
  const stayDead = batch.filter((_, n) => answers[n] === 'refused')
  const failed = ids.flatMap((id, n) => {
    const answer = answers[n]
    return Array.isArray(answer) ? [{ id, why: answer[1] }] : []
  })
  const whyOf = (letter: DeadLetter | null): NotReplayable => whyNotReplayable(letter) ?? 'unreadable'
  const refused = [...stayDead.map(({ id, letter }) => ({ id, why: notReplayableText(whyOf(letter)) })), ...failed]
  // What Redis has refused waits as before, and is not tried again at once.
  if (failed.length > 0) return { replayed, refused, againMs: REFUSED_MS }
  if (waitMs > 0) return { replayed, refused, againMs: waitMs }
  return { replayed, refused, againMs: hasMore ? 0 : undefined }
}

export const REFUSED_MS = 1000

/** What the script takes for one letter; without data for a new message where nothing to send stands in it. */
function partsOf(
  keys: AppKeys,
  { task, acceptance, id, person = '', letter, idem }: WaitingLetter,
  { appid, now }: { appid: string; now: number },
): (string | number)[] {
  const message = readMessage(letter)
  const where = [task, acceptance, person, id]
  if (letter === null || message === undefined)
    return [
      ...where,
      '',
      '',
      '',
      '[]',
      '',
      '',
      '',
      '',
      '',
      reasonIn(letter),
      whyNotReplayable(letter) === 'content-removed' ? 'content-removed' : '',
    ]
  const newId = replayIdOf(id)
  const data = replayedData(id, letter, { message, now })
  const ended: StatusReport = { ...reportOfDeadLetter(appid, letter), status: 'replayed', replayedAs: newId }
  const of = [letter.messageId, keys.ended(letter.messageId), JSON.stringify(ended)]
  const { expiresAt = '', onClosed = '' } = data
  const replay = [newId, data.touser, JSON.stringify(data), expiresAt, onClosed, reasonLine(letter.reason)]
  return [...where, ...of, JSON.stringify(indexesOf(keys, letter)), ...replay, memoryOf(letter, idem)]
}

/** What a letter that cannot be replayed says in the dashboard: retrying it has taken its reason away. */
function reasonIn(letter: DeadLetter | null): string {
  return letter === null ? 'it is no dead letter' : refusedReasonLine(letter)
}

function readMessage(letter: DeadLetter | null): JobData | undefined {
  const read = readJobData(letter?.message)
  return read.kind === 'ok' ? read.data : undefined
}
