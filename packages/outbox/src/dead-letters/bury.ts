/**
 * Dead letters of messages that no run settles: their jobs failed by other programs, or they expired while they waited. A run's own
 * dead letter is part of its settlement; these are found by a sweep, and each is made by one script, on the condition that
 * nothing has happened to the message since it was read.
 *
 * A message that WeChat took although its job failed is no dead letter: its job is only removed.
 */
import { type Attempt, type DeadLetter, deadLetterIdOf, type Reason, readJobData } from '@wechat-outbox/messages'
import { attemptsOf, isTime, isWaiting, readJobHash, recipientIn } from '../bullmq/job-hash.ts'
import { type DeathTold, deathTold, type Tells } from '../callbacks/tells.ts'
import { collectSpoilt } from '../errors.ts'
import { appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { CLOSED_RULE_DEFAULT } from '../windows/ledger.ts'
import { letterOf, partsOf } from './letter.ts'

export type Buried =
  | { readonly kind: 'dead'; readonly id: string; readonly letter: DeadLetter }
  | { readonly kind: 'settled' }
  /** It is not failed, or has not expired, or no longer is what was read. */
  | { readonly kind: 'changed' }
  /** It waits for its user and may do so for longer, or waits for something else and has no `expiresAt`: nothing ends it before `until`. */
  | { readonly kind: 'early'; readonly until: number }
  /** A worker holds it: whatever it is doing, it is not over. */
  | { readonly kind: 'locked' }
  /** A dead letter of that id is there already, and it is another message's. It is left alone, and so is the job. */
  | { readonly kind: 'occupied'; readonly id: string }

/** What ended the wait of a message: its `expiresAt`, or that its user did nothing for too long. */
export type ExpiryOf = 'expired' | 'unanswered'

export interface BurierOptions {
  readonly appid: string
  readonly store: Store
  /** Names the reason of a job that failed without one of ours, from BullMQ's text; `wasOpen`: while its call may have been open. */
  readonly explain: (failedReason: string, wasOpen: boolean) => Reason
  readonly explainExpiry: (last: Attempt | undefined, of: ExpiryOf) => Reason
  readonly holdMaxMs?: number | undefined
  readonly tells?: Tells | undefined
  readonly onDead: (dead: { id: string; letter: DeadLetter }) => void
  readonly onOccupied: (id: string) => void
}

export interface Burier {
  /** Buries a message whose job has failed; anything else about it is not an error. */
  bury(id: string): Promise<Buried>
  /** Buries a message that has expired while it waited: nothing of it was under way. */
  expire(id: string): Promise<Buried>
  /**
   * Buries all that have failed. Returns how many dead letters that made.
   * @throws when the others are buried, where another program has spoilt a key of one
   */
  sweep(): Promise<number>
}

const SWEEP_BATCH = 200
/** What does not wait for its user now may do so again. */
const LOOK_AGAIN_MS = 3_600_000

export function createBurier(options: BurierOptions): Burier {
  const keys = appKeys(options.appid)
  const { redis } = options.store
  const told = (buried: Buried): Buried => {
    if (buried.kind === 'dead') options.onDead(buried)
    if (buried.kind === 'occupied') options.onOccupied(buried.id)
    return buried
  }
  const bury = async (id: string): Promise<Buried> => told(await buryFailed(id, options))
  return {
    bury,
    expire: async (id) => told(await buryExpired(id, options)),
    async sweep() {
      let dead = 0
      let left = 0
      const spoilt = collectSpoilt()
      // Whatever stays in the set, for whatever reason, is stepped over, and so the sweep ends. Those that have left it are not:
      // to step over them would be to step over others.
      for (;;) {
        const ids = await redis.zrange(keys.sendFailed, String(left), String(left + SWEEP_BATCH - 1))
        if (ids.length === 0) break
        const buried = await Promise.all(ids.map((id) => bury(id).catch(spoilt.note(id))))
        dead += buried.filter((one) => one?.kind === 'dead').length
        left += (await redis.zmscore(keys.sendFailed, ids)).filter((score) => score !== null).length
      }
      spoilt.throwNoted()
      return dead
    },
  }
}

async function buryFailed(id: string, options: BurierOptions): Promise<Buried> {
  const { appid, store, explain } = options
  const fields = await store.redis.hgetall(appKeys(appid).sendJob(id))
  const job = readJobHash(fields)
  if (job === null || job.settled) return burying({ id, fields, letter: undefined, as: 'failed' }, options)
  const reason = job.history.at(-1)?.reason ?? explain(job.failedReason, Boolean(fields['sending']))
  // Whoever failed it may have written no time. One of long ago would let the letter expire at once.
  const deadAt = isTime(job.finishedOn) && job.finishedOn > 0 ? job.finishedOn : store.clock.now()
  const letter = letterOf(id, job, { reason, deadAt })
  return burying({ id, fields, letter, as: 'failed', told: deathTold(options, letter) }, options)
}

/** In the time of a hold nobody else sees to it that a message dies when it should. */
async function buryExpired(id: string, options: BurierOptions): Promise<Buried> {
  const { appid, store, explainExpiry, holdMaxMs = CLOSED_RULE_DEFAULT.holdMaxMs } = options
  const [state, fields] = await Promise.all([
    store.backend(appid, SEND_QUEUE).getState(id),
    store.redis.hgetall(appKeys(appid).sendJob(id)),
  ])
  const job = readJobHash(fields)
  if (job === null || job.settled) return { kind: 'settled' }
  const now = store.clock.now()
  const read = readJobData(job.data)
  const expiresAt = (read.kind === 'ok' ? read.data.expiresAt : undefined) ?? Number.POSITIVE_INFINITY
  const givenUpAt = job.awaitsUser && job.awaitsSince > 0 ? job.awaitsSince + holdMaxMs : now + LOOK_AGAIN_MS
  const until = Math.min(expiresAt, givenUpAt)
  // What cannot be read may say when it expires: a newer worker can tell.
  if (until > now) return read.kind === 'ok' ? { kind: 'early', until } : { kind: 'changed' }
  if (!isWaiting(state)) return { kind: 'changed' }
  const isExpired = expiresAt <= now
  const as: ExpiryOf = isExpired ? 'expired' : 'unanswered'
  const letter = letterOf(id, job, { reason: explainExpiry(attemptsOf(job.history).at(-1), as), deadAt: now })
  const told = deathTold(options, letter, job.awaitsUser ? 'message.expired-waiting' : 'message.dead')
  return burying({ id, fields, letter, as, told }, options)
}

interface Burying {
  readonly id: string
  /** The job as it was read. */
  readonly fields: Record<string, string>
  /** Undefined for a message that needs none. */
  readonly letter: DeadLetter | undefined
  readonly as: 'failed' | ExpiryOf
  readonly told?: DeathTold | undefined
}

async function burying({ id, fields, letter, as, told }: Burying, { appid, store }: BurierOptions): Promise<Buried> {
  const keys = appKeys(appid)
  const parts = letter && partsOf(keys, letter)
  const touser = parts?.touser ?? recipientIn(readJobHash(fields)?.data)
  const { letterId, letter: json = '', more = {} } = parts?.dead ?? { letterId: deadLetterIdOf(id) }
  const event = [keys.callbackJobs, told?.type ?? '', told?.data ?? '']
  const kind = await runScript<Exclude<Buried['kind'], 'early'>>(store.redis, {
    name: 'bury-message',
    keys: [
      keys.sendJob(id),
      keys.sendLock(id),
      keys.lane(touser ?? ''),
      keys.parkedLanes,
      keys.sendFailed,
      keys.expiring,
    ],
    args: [id, keys.sendJobs, keys.deadJobs, fields['ats'] ?? '0', as, letterId, json, JSON.stringify(more), ...event],
  })
  if (kind === 'dead') return letter === undefined ? { kind: 'changed' } : { kind, id: letterId, letter }
  return kind === 'occupied' ? { kind, id: letterId } : { kind }
}
