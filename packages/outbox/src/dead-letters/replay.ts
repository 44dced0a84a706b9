/**
 * From dead letters to new messages. Whoever retries a dead letter's job – the dashboard's button, `wxo`, HTTP, plain
 * `job.retry()` – makes it waiting in its queue, and whatever waits there is replayed, oldest first by acceptance: it is moved
 * to a sorted set, all of it before the first is replayed, because it waits in the order in which it was asked for.
 * Then one script stores the new messages of many letters and removes the letters, each by itself. There is no moment in
 * between, and so nothing to take over from a worker that dies; two workers at once find each letter retried once.
 */
import {
  type DeadLetter,
  EARLIER_REASONS_MAX,
  type JobData,
  readJobData,
  reasonLine,
  replayIdOf,
  type StatusReport,
} from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { reportOfDeadLetter } from '../producer/status.ts'
import { type AppKeys, appKeys, storeKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { acceptanceOf, idInAcceptance } from './acceptance.ts'
import { indexesOf } from './letter.ts'

export interface ReplayOptions {
  readonly store: Store
  readonly appid: string
  /** For how long the status of a dead message still tells what it was replayed as, at least. */
  readonly rememberMs: number
  /** Replays per second, over all workers of the app. 0: no limit. */
  readonly perSecond: number
}

export interface Replayed {
  readonly replayed: readonly { readonly id: string; readonly replayOf: string }[]
  /** What cannot be replayed, and is a dead letter as before. */
  readonly refused: readonly { readonly id: string; readonly why: string }[]
  /** Somebody has retried more than was replayed: again after so many ms; undefined when nothing is left. */
  readonly againMs: number | undefined
}

/** Letters in one script: Redis serves nobody else while it runs, some 50 µs for each. */
const BATCH = 50
/** Letters that are only moved, in one script. */
const TAKEN_BATCH = 200

/** How many dead letters somebody has retried that are not yet put in order. */
export function countRetried({ store, appid }: Pick<ReplayOptions, 'store' | 'appid'>): Promise<number> {
  return store.redis.llen(appKeys(appid).deadWait)
}

/** Replays the oldest of the dead letters that somebody has retried, a batch of them. */
export async function replayRetried(options: ReplayOptions): Promise<Replayed> {
  const { store, appid, rememberMs, perSecond } = options
  const keys = appKeys(appid)
  const nothing = { replayed: [], refused: [], againMs: undefined }
  if ((await store.redis.hget(`${keys.deadJobs}meta`, 'paused')) !== null) return nothing
  await takeRetried(store, keys)
  const due = await store.redis.zrange(keys.replaysDue, '0', String(BATCH - 1))
  if (due.length === 0) return nothing
  const ids = due.map(idInAcceptance)
  const letters = await Promise.all(ids.map((id) => store.redis.hget(keys.deadJob(id), 'data')))
  const now = store.clock.now()
  const [waitMs, ...answers] = await runScript<[number, ...(string | [string, string])[]]>(store.redis, {
    name: 'replay',
    keys: [...storeKeys(keys), keys.replaysDue, keys.replayRate],
    args: [
      keys.sendJobs,
      keys.lanes,
      keys.idempotency,
      keys.deadJobs,
      rememberMs,
      perSecond,
      ...ids.flatMap((id, n) => [due[n] ?? '', ...partsOf(keys, { id, json: letters[n] ?? null, appid, now })]),
    ],
  })
  return readAnswers(ids, answers, waitMs)
}

/** Whatever was retried before this began is sorted when it ends, also by another worker that does the same meanwhile. */
async function takeRetried({ redis }: Store, keys: AppKeys): Promise<void> {
  for (let left = await redis.llen(keys.deadWait); left > 0; ) {
    // BullMQ puts at the left what is retried.
    const ids = (await redis.lrange(keys.deadWait, String(-TAKEN_BATCH), '-1')).toReversed()
    const letters = await Promise.all(ids.map((id) => redis.hget(keys.deadJob(id), 'data')))
    const args = ids.flatMap((id, n) => [id, acceptanceOf(id, parseJson(letters[n]) as DeadLetter | undefined)])
    left = await runScript<number>(redis, { name: 'take-retried', keys: [keys.deadWait, keys.replaysDue], args })
  }
}

function readAnswers(
  ids: readonly string[],
  answers: readonly (string | [string, string])[],
  waitMs: number,
): Replayed {
  const replayed = ids.filter((_, n) => answers[n] === 'replayed').map((id) => ({ id: replayIdOf(id), replayOf: id }))
  const stayDead = ids.filter((_, n) => answers[n] === 'refused')
  const failed = ids.flatMap((id, n) => {
    const answer = answers[n]
    return Array.isArray(answer) ? [{ id, why: answer[1] }] : []
  })
  const refused = [...stayDead.map((id) => ({ id, why: 'it holds no message that can be sent' })), ...failed]
  // What Redis has refused stays retried, and is not tried again at once.
  if (failed.length > 0) return { replayed, refused, againMs: REFUSED_MS }
  if (waitMs > 0) return { replayed, refused, againMs: waitMs }
  return { replayed, refused, againMs: ids.length === BATCH ? 0 : undefined }
}

const REFUSED_MS = 1000

/** What the script takes for one letter; without data for a new message where nothing to send stands in it. */
function partsOf(
  keys: AppKeys,
  { id, json, appid, now }: { id: string; json: string | null; appid: string; now: number },
): (string | number)[] {
  const letter = parseJson(json) as DeadLetter | undefined
  const message = letter === undefined || letter === null ? undefined : readMessage(letter)
  if (letter === undefined || message === undefined) return [id, '', '', '', '[]', '', '', '', '', reasonIn(letter)]
  const newId = replayIdOf(id)
  const data = replayedData(id, letter, { message, now })
  const ended: StatusReport = { ...reportOfDeadLetter(appid, letter), status: 'replayed', replayedAs: newId }
  const of = [id, letter.messageId, keys.ended(letter.messageId), JSON.stringify(ended)]
  const replay = [newId, data.touser, JSON.stringify(data), data.expiresAt ?? '', reasonLine(letter.reason)]
  return [...of, JSON.stringify(indexesOf(keys, letter)), ...replay]
}

/** What a letter that cannot be replayed says in the dashboard: retrying it has taken its reason away. */
function reasonIn(letter: DeadLetter | null | undefined): string {
  const { reason } = letter ?? {}
  return typeof reason?.name === 'string' ? reasonLine(reason) : 'it is no dead letter'
}

/** A job of this queue that other hands have added may hold anything. */
function readMessage(letter: DeadLetter): JobData | undefined {
  const { message, reason, messageId, attempts, acceptedAt, deadAt } = letter
  const isLetter =
    typeof messageId === 'string' && Array.isArray(attempts) && typeof reason === 'object' && reason !== null
  if (!isLetter || !Number.isFinite(acceptedAt) || !Number.isFinite(deadAt)) return undefined
  const read = readJobData(message)
  return read.kind === 'ok' ? read.data : undefined
}

/**
 * The message as it was, now, with a budget of its own. Its time to be sent has come, and a limit that has already passed
 * is overruled by whoever replays it.
 */
function replayedData(id: string, letter: DeadLetter, at: { message: JobData; now: number }): JobData {
  const { sendAt: _sendAt, expiresAt, earlierReasons = [], ...rest } = at.message
  const { errcode, name } = letter.reason
  const reason = errcode === null ? name : `${errcode} ${name}`
  return {
    ...rest,
    ...(expiresAt !== undefined && expiresAt > at.now ? { expiresAt } : {}),
    replayOf: id,
    earlierReasons: [reason, ...earlierReasons].slice(0, EARLIER_REASONS_MAX),
  }
}
