/**
 * One run of one message in a worker: from the job that BullMQ fetched to the decision made true in Redis. What WeChat
 * said and what that means is decided between `admit` and `settle`, by somebody who knows neither Redis nor BullMQ.
 */
import { type Attempt, type Charge, type Reason, reasonLine } from '@wechat-outbox/messages'
import { DelayedError, type Job, UnrecoverableError } from 'bullmq'
import type { HoldKeeper } from '../app-hold/keeper.ts'
import { appendHistory, attemptsOf, type HistoryEntry, parseJson, readHistory } from '../bullmq/job-hash.ts'
import { type AppKeys, appKeys, SEND_QUEUE } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import type { Handover } from './handover.ts'
import { type Answer, askForTurn, type Turn } from './turn.ts'

/**
 * How long a message that is not first waits before it looks by itself, in ms. It is woken when its turn comes, and `heal`
 * sees to lanes where nobody was left to wake it; so this is only for what nobody has thought of, and it is long, because
 * every look is a fetch.
 */
export const PARK_MS = 900_000
/** How long a message steps back that was fetched before its app was held. It is fetched when the hold is over. */
const HELD_MS = 500

export type Settlement =
  | { readonly kind: 'delivered'; readonly attempts: readonly Attempt[] }
  /** `counts`: the run was a try of the message's budget, and not a wait for its app. */
  | {
      readonly kind: 'later'
      readonly delayMs: number
      readonly counts: boolean
      readonly attempts: readonly Attempt[]
    }
  | { readonly kind: 'dead'; readonly reason: Reason; readonly attempts: readonly Attempt[] }
  /** Its app is held: it steps back, and no try is counted. */
  | { readonly kind: 'held' }
  /** Not its turn. */
  | { readonly kind: 'park' }
  /** WeChat has it already, from a run that could not finish. */
  | { readonly kind: 'settled' }
  /** The job is another worker's by now, or nobody's. */
  | { readonly kind: 'lost' }

/** What the lane has to know of a message: whose it is, and whether it was to join only when it became due. */
export interface LaneMember {
  readonly touser: string
  readonly sendAt?: number | undefined
  readonly expiresAt?: number | undefined
}

export interface Run {
  readonly appid: string
  readonly id: string
  /** As it stands in Redis, written by anybody: to be read with `readJobData`. */
  readonly data: unknown
  readonly msgtype: string
  /** Epoch milliseconds. */
  readonly acceptedAt: number
  /** Fires when the lock is lost or the worker's time to shut down is over. */
  readonly signal: AbortSignal
  /** Asks for this message's turn and, on `go`, marks it as being sent and renews its lease. It may have come with the fetch. */
  admit(message: LaneMember): Promise<Turn>
  /** Gives back a turn that has come with the fetch: something has to be waited for, and nothing is being sent meanwhile. */
  waive(): Promise<void>
  /** What a call of this run says about the app. Returns whether the app is held, now or since before. */
  charge(charge: Charge): Promise<boolean>
  /** Takes the mark back after WeChat has refused the call. False: the lock is lost. */
  unmark(): Promise<boolean>
  /** The last attempt of the runs before this one. */
  lastAttempt(): Attempt | undefined
}

/** A run as the consumer holds it: it knows whose lane it asked at, and whether the mark in Redis is its own. */
export interface OwnRun extends Run {
  holder(): Holder
  /** To be called when the run is over, whatever it came to: another message may be the probe now, if this one was. */
  end(): Promise<void>
}

export interface RunOptions {
  readonly appid: string
  readonly store: Store
  readonly leaseMs: number
  /** Calls that may start per second, over all workers of the app. */
  readonly maxPerSecond?: number | undefined
  readonly keeper: HoldKeeper
  /** Where a turn may have come from, and a settlement may go to. Without it both are steps of their own. */
  readonly handover?: Handover | undefined
}

export function createRun(job: Job, at: { token: string; signal: AbortSignal }, options: RunOptions): OwnRun {
  const { appid, store, leaseMs, maxPerSecond = 0, keeper, handover } = options
  const keys = appKeys(appid)
  const id = String(job.id)
  let admission = handover?.admissionOf(id, at.token)
  let marked = admission !== undefined
  let lane: string | undefined
  let expires = false
  let probes = false
  const ask = ({ touser, sendAt }: LaneMember, canWait: number | ''): Promise<Answer> => {
    return runScript(store.redis, {
      name: 'admit',
      keys: [keys.sendJob(id), keys.sendLock(id), keys.lane(touser), keys.heldLanes, keys.rate, keys.hold],
      args: [id, at.token, leaseMs, keys.sendJobs, sendAt === undefined ? 0 : 1, maxPerSecond, canWait],
    })
  }
  const unmark = async (): Promise<boolean> => {
    marked = false
    const call = { name: 'unmark', keys: [keys.sendJob(id), keys.sendLock(id)], args: [at.token] } as const
    return (await runScript<number>(store.redis, call)) === 1
  }
  return {
    holder: () => ({ token: at.token, marked, expires, ...(lane === undefined ? {} : { touser: lane }) }),
    appid,
    id,
    data: job.data,
    msgtype: job.name,
    acceptedAt: job.timestamp,
    signal: at.signal,
    async admit(message) {
      lane = message.touser
      expires = message.expiresAt !== undefined
      if (admission !== undefined) {
        const { tries, leaseFrom } = admission
        admission = undefined
        return { kind: 'go', tries, leaseFrom }
      }
      const asked = await askForTurn((canWait) => ask(message, canWait), at.signal)
      marked = asked.turn.kind === 'go'
      probes = asked.probes
      return asked.turn
    },
    async charge(charge) {
      // A call that this side broke off says nothing about the road.
      const said = at.signal.aborted && charge.kind === 'fault' && charge.cause === 'road' ? UNKNOWN : charge
      const held = await keeper.charge({ token: at.token, probes, charge: said })
      probes = false
      return held
    },
    async end() {
      if (probes) await keeper.unused(at.token)
    },
    unmark,
    lastAttempt: () => attemptsOf(readHistory(job.stacktrace)).at(-1),
    async waive() {
      if (admission === undefined) return
      admission = undefined
      await unmark()
    },
  }
}

const UNKNOWN: Charge = { kind: 'unknown' }

/** Who settles: the lock's token, the lane it was admitted at, if any, and whether this run set the mark `sending`. */
export interface Holder {
  readonly token: string
  readonly touser?: string
  readonly marked: boolean
  /** The message has an `expiresAt`. */
  readonly expires?: boolean
}

interface Settling extends Pick<RunOptions, 'appid' | 'store' | 'handover'> {
  readonly settlement: Settlement
}

/**
 * Makes a settlement true. The only place that knows BullMQ's control errors: a returned value completes the job,
 * `UnrecoverableError` fails it with its reason and history in one step, and `DelayedError` says that the job has been
 * moved already – or is not ours to move.
 */
export async function settle(job: Job, at: Holder, options: Settling): Promise<unknown> {
  const { settlement, store, appid, handover } = options
  const keys = appKeys(appid)
  const id = String(job.id)
  switch (settlement.kind) {
    case 'delivered':
      if (at.touser !== undefined && handover !== undefined) {
        handover.leave(at.token, { id, touser: at.touser, expires: at.expires === true })
      } else if (at.touser !== undefined) {
        // Whoever asks from now on hears of a delivered message, and so its attempts are stored with the mark.
        const args = [id, keys.sendJobs, JSON.stringify({ attempts: settlement.attempts }), at.expires === true ? 1 : 0]
        await runScript(store.redis, {
          name: 'settle',
          keys: [keys.sendJob(id), keys.lane(at.touser), keys.heldLanes, keys.faultsInARow, keys.expiring],
          args,
        })
      }
      return { attempts: settlement.attempts }
    case 'settled':
      return parseJson(await store.redis.hget(keys.sendJob(id), 'returnvalue')) ?? { attempts: [] }
    case 'dead':
      throw deadError(settlement.reason, settlement.attempts)
    case 'later': {
      const { delayMs, counts, attempts } = settlement
      const history =
        attempts.length === 0 ? {} : { stacktrace: appendHistory(readHistory(job.stacktrace), { attempts }) }
      // A mark from a run that died stays: only whoever was admitted over it has taken note of it. But a message that was
      // parked once waits for itself now, and nobody is to wake it out of that.
      const unparked = { ...history, parked: '0' }
      const fields = at.marked ? { ...unparked, sending: '' } : unparked
      await delay(job, { token: at.token, delayMs }, { ...options, counts, fields })
      throw new DelayedError()
    }
    case 'held':
      await delay(job, { token: at.token, delayMs: HELD_MS }, { ...options, counts: false, fields: { parked: '0' } })
      throw new DelayedError()
    case 'park':
      await delay(job, { token: at.token, delayMs: PARK_MS }, { ...options, counts: false, fields: { parked: '1' } })
      if (at.touser !== undefined) await look(store, keys, { id, touser: at.touser })
      throw new DelayedError()
    case 'lost':
      throw new DelayedError()
  }
}

/** Its message becomes `failedReason` and its stack an entry of `stacktrace`, both in the step that fails the job. */
function deadError(reason: Reason, attempts: readonly Attempt[]): UnrecoverableError {
  const error = new UnrecoverableError(reasonLine(reason))
  const entry: HistoryEntry = { attempts, reason }
  error.stack = JSON.stringify(entry)
  return error
}

/** Either the settler sees the message parked, or the message sees that it has become first. */
async function look(store: Store, keys: AppKeys, message: { id: string; touser: string }): Promise<void> {
  await runScript(store.redis, {
    name: 'look',
    keys: [keys.lane(message.touser), keys.heldLanes],
    args: [message.id, keys.sendJobs],
  })
}

interface DelayOptions extends Pick<RunOptions, 'appid' | 'store'> {
  readonly counts: boolean
  readonly fields: Record<string, string>
}

/** Moves the job and sets fields of ours in one step. A lock that is lost leaves the job to whoever holds it now. */
async function delay(job: Job, to: { token: string; delayMs: number }, options: DelayOptions): Promise<void> {
  const backend = options.store.backend(options.appid, SEND_QUEUE)
  const delayMs = Math.max(1, Math.ceil(to.delayMs))
  try {
    const how = { skipAttempt: !options.counts, fieldsToUpdate: options.fields }
    await backend.moveToDelayed(String(job.id), Date.now(), delayMs, to.token, how)
  } catch (error) {
    if (!isNoLongerOurs(error)) throw error
  }
}

/** BullMQ numbers its refusals: -1 no such job, -2 no lock, -3 not active, -6 somebody else's lock. */
function isNoLongerOurs(error: unknown): boolean {
  return error instanceof Error && 'code' in error && [-1, -2, -3, -6].includes(Number(error.code))
}
