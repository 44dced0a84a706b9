/**
 * From a job that failed to a dead letter, without loss and without doubles, whatever dies on the way.
 *
 *   the job is `failed`, with its reason (one step of BullMQ's)
 *   one transaction, on the condition that it still is: {add the dead letter, bury it, remove the job, leave the lane}
 *
 * A message that WeChat took although its job failed (the lock was lost while it was being settled) is no dead letter:
 * its job is only removed. What a crash left undone a sweep does at the next start and every 30 seconds; the sweep also
 * finds jobs that failed by stalling, which no run of ours has seen.
 */
import {
  type Attempt,
  type DeadLetter,
  deadLetterIdOf,
  type Reason,
  readJobData,
  reasonLine,
} from '@wechat-outbox/messages'
import { attemptsOf, isWaiting, type JobHash, readJobHash, recipientIn } from '../bullmq/job-hash.ts'
import type { Judge, Judged } from '../redis/judge.ts'
import { type AppKeys, appKeys, DEAD_LETTER_QUEUE, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import { addJob, removeJob, type Store, type Transaction } from '../redis/store.ts'

export type Moved =
  | { readonly kind: 'dead'; readonly id: string; readonly letter: DeadLetter }
  | { readonly kind: 'settled' }
  | { readonly kind: 'not-failed' }
  /** Its time is not over, or it is no longer one that only waits. */
  | { readonly kind: 'not-expired' }
  /** A worker holds it: whatever it is doing, it is not over. */
  | { readonly kind: 'held' }
  /** A dead letter of that id is there already, and it is another message's. It is left alone, and so is the job. */
  | { readonly kind: 'occupied'; readonly id: string }

export interface MoverOptions {
  readonly appid: string
  readonly judge: Judge
  /** Names the reason of a job that failed without one of ours, from BullMQ's text. */
  readonly explain: (failedReason: string) => Reason
  readonly explainExpiry: (last: Attempt | undefined) => Reason
  readonly onDead: (dead: { id: string; letter: DeadLetter }) => void
  readonly onOccupied: (id: string) => void
}

export interface Mover {
  /** Moves one failed job; anything else about it is not an error. */
  move(id: string): Promise<Moved>
  /** Moves a message that has expired while it waited: nothing of it was under way. */
  expire(id: string): Promise<Moved>
  /** Moves all that have failed. Returns how many dead letters that made. */
  sweep(store: Store): Promise<number>
}

const SWEEP_BATCH = 200

export function createMover(options: MoverOptions): Mover {
  const keys = appKeys(options.appid)
  async function moveBy(look: typeof judgeMove, id: string): Promise<Moved> {
    const watched = [keys.sendJob(id), keys.sendLock(id), keys.deadJob(deadLetterIdOf(id))]
    const moved = await options.judge.step<Moved>(watched, (store) => look(store, id, options))
    if (moved.kind === 'dead') options.onDead(moved)
    if (moved.kind === 'occupied') options.onOccupied(moved.id)
    return moved
  }
  const move = (id: string): Promise<Moved> => moveBy(judgeMove, id)
  return {
    move,
    expire: (id) => moveBy(judgeExpiry, id),
    async sweep(store) {
      let dead = 0
      let left = 0
      // Those that stay (occupied or held) are stepped over, and so the sweep ends. Those that are not failed any more have
      // left the set as well, and to step over them would be to step over others.
      for (;;) {
        const ids = await store.redis.zrange(keys.sendFailed, String(left), String(left + SWEEP_BATCH - 1))
        if (ids.length === 0) return dead
        for (const id of ids) {
          const { kind } = await move(id)
          if (kind === 'dead') dead += 1
          else if (kind === 'occupied' || kind === 'held') left += 1
        }
      }
    },
  }
}

/** In the time of a hold nobody else sees to it that a message dies when it should. */
async function judgeExpiry(store: Store, id: string, options: MoverOptions): Promise<Judged<Moved>> {
  const keys = appKeys(options.appid)
  const [state, lock, fields, there] = await Promise.all([
    store.backend(options.appid, SEND_QUEUE).getState(id),
    store.redis.exists(keys.sendLock(id)),
    store.redis.hgetall(keys.sendJob(id)),
    store.redis.hgetall(keys.deadJob(deadLetterIdOf(id))),
  ])
  const job = readJobHash(fields)
  if (job === null || job.settled) return { result: { kind: 'settled' } }
  const read = readJobData(job.data)
  const expiresAt = read.kind === 'ok' ? read.data.expiresAt : undefined
  // A mark of a call that may be open is left to the next run: what became of that call `ifUnsure` decides.
  const waits = isWaiting(state) && lock === 0 && !fields['sending']
  if (!waits || expiresAt === undefined || expiresAt > Date.now()) return { result: { kind: 'not-expired' } }
  const reason = options.explainExpiry(attemptsOf(job.history).at(-1))
  return judgeLetter(
    store,
    { id, job, there, letter: letterOf(id, job, { reason, deadAt: Date.now() }) },
    options.appid,
  )
}

async function judgeMove(store: Store, id: string, { appid, explain }: MoverOptions): Promise<Judged<Moved>> {
  const keys = appKeys(appid)
  const send = store.backend(appid, SEND_QUEUE)
  const deadId = deadLetterIdOf(id)
  const [score, lock, fields, there] = await Promise.all([
    store.redis.zscore(keys.sendFailed, id),
    store.redis.exists(keys.sendLock(id)),
    store.redis.hgetall(keys.sendJob(id)),
    store.redis.hgetall(keys.deadJob(deadId)),
  ])
  const job = readJobHash(fields)
  if (score === null) return { result: { kind: 'not-failed' } }
  if (lock === 1) return { result: { kind: 'held' } }
  // Failed, and without a job: a leftover of hands. BullMQ's removal clears it from the set.
  if (job === null) return { result: { kind: 'settled' }, build: (multi) => removeJob(multi, send, id) }
  if (job.settled) return { result: { kind: 'settled' }, build: leaving(store, { id, job }, appid) }
  const reason = job.history.at(-1)?.reason ?? explain(job.failedReason)
  return judgeLetter(store, { id, job, there, letter: letterOf(id, job, { reason, deadAt: job.finishedOn }) }, appid)
}

/** Out of the queue and off its lane. */
function leaving(store: Store, { id, job }: { id: string; job: JobHash }, appid: string) {
  const keys = appKeys(appid)
  const touser = recipientIn(job.data)
  return (multi: Transaction): void => {
    removeJob(multi, store.backend(appid, SEND_QUEUE), id)
    if (touser === undefined) return
    void runScript(multi, { name: 'unlane', keys: [keys.lane(touser), keys.heldLanes], args: [id, keys.sendJobs] })
  }
}

interface Dying {
  readonly id: string
  readonly job: JobHash
  readonly letter: DeadLetter
  /** What stands where the dead letter would. */
  readonly there: Record<string, string>
}

function judgeLetter(store: Store, { id, job, letter, there }: Dying, appid: string): Judged<Moved> {
  const deadId = deadLetterIdOf(id)
  const leave = leaving(store, { id, job }, appid)
  const before = readJobHash(there)
  if (before !== null) {
    const same =
      (before.data as DeadLetter).messageId === id && (before.data as DeadLetter).acceptedAt === job.timestamp
    return same ? { result: { kind: 'settled' }, build: leave } : { result: { kind: 'occupied', id: deadId } }
  }
  return {
    result: { kind: 'dead', id: deadId, letter },
    build(multi) {
      const dead = store.backend(appid, DEAD_LETTER_QUEUE)
      addJob(multi, dead, { id: deadId, name: job.name, data: letter, timestamp: letter.deadAt })
      bury(multi, appKeys(appid), { id: deadId, letter })
      leave(multi)
    },
  }
}

function bury(multi: Transaction, keys: AppKeys, dead: { id: string; letter: DeadLetter }): void {
  const { id, letter } = dead
  void runScript(multi, {
    name: 'bury',
    keys: [keys.deadJob(id), keys.deadWait, keys.deadFailed, ...indexesOf(keys, letter)],
    args: [id, reasonLine(letter.reason), letter.deadAt],
  })
}

/** The sorted sets that list a dead letter: one for each filter, so that no list has to look at what it leaves out. */
export function indexesOf(keys: AppKeys, letter: DeadLetter): string[] {
  const reason = String(letter.reason.errcode ?? letter.reason.name)
  const touser = 'touser' in letter.message ? letter.message.touser : undefined
  const ofPerson = touser === undefined ? [] : [keys.deadByPerson(touser), keys.deadByPersonAndReason(touser, reason)]
  return [keys.deadByTime, keys.deadByReason(reason), ...ofPerson]
}

function letterOf(id: string, job: JobHash, end: { reason: Reason; deadAt: number }): DeadLetter {
  const read = readJobData(job.data)
  return {
    v: 1,
    messageId: id,
    message: read.kind === 'ok' ? read.data : { unreadable: job.data ?? null },
    reason: end.reason,
    attempts: attemptsOf(job.history),
    acceptedAt: job.timestamp,
    deadAt: end.deadAt,
  }
}
