/**
 * One run of one message in a worker: from the job that was fetched to the settlement that the settler records. What
 * WeChat said and what that means is decided between `admit` and the settlement, by code that knows neither Redis
 * nor BullMQ.
 */
import {
  type AppSignal,
  type Attempt,
  type DeadLetter,
  deliveredEvent,
  type JobData,
  type Reason,
} from '@wechat-outbox/messages'
import type { Job } from 'bullmq'
import type { HoldKeeper, HoldReport } from '../app-hold/keeper.ts'
import { isBullmqs } from '../bullmq/backend.ts'
import { appendHistory, attemptsOf, readHistory, recipientIn } from '../bullmq/job-hash.ts'
import { deathTold, type Tells } from '../callbacks/tells.ts'
import { letterOf, partsOf } from '../dead-letters/letter.ts'
import { dataWithoutContent } from '../erase/strip.ts'
import { messageOf } from '../errors.ts'
import type { AppKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { CLOSED_RULE_DEFAULT, type ClosedRule } from '../windows/ledger.ts'
import type { Item, Settler } from './settler.ts'
import { type Answer, askForTurn, type Turn } from './turn.ts'

/** How long a message steps back that was fetched before its app was held. It is fetched when the hold is over. */
const HELD_MS = 500

export type Settlement =
  | { readonly kind: 'delivered'; readonly attempts: readonly Attempt[] }
  /** It waits and keeps its place. `counts`: the run was a try of the message's budget, and not a wait for its app. */
  | {
      readonly kind: 'snooze'
      readonly delayMs: number
      readonly counts: boolean
      readonly attempts: readonly Attempt[]
    }
  /** `isWindows`: WeChat refused it because of the reply window of its recipient. */
  | {
      readonly kind: 'dead'
      readonly reason: Reason
      readonly attempts: readonly Attempt[]
      readonly isWindows?: boolean | undefined
    }
  /** The reply window is closed, and the message waits for the next action of its user. */
  | { readonly kind: 'await-user'; readonly attempts: readonly Attempt[] }
  /** Nothing of it was sent: the next run begins as if this one had not been. */
  | { readonly kind: 'give-back' }
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
  /** Epoch milliseconds by Redis's clock. */
  readonly acceptedAt: number
  /** Fires when the lock is lost or the worker's time to shut down is over. */
  readonly signal: AbortSignal
  /** Epoch milliseconds by Redis's clock, by which `sendAt` and `expiresAt` are judged. */
  now(): number
  /** Asks for this message's turn and, on `go`, marks it as being sent and renews its lease. It may have come with the fetch. */
  admit(message: LaneMember): Promise<Turn>
  /** Gives back a turn that has come with the fetch: something has to be waited for, and nothing is being sent meanwhile. */
  waive(): Promise<void>
  /** What a call of this run says about the app. Returns whether the app is held, now or since before. */
  signalApp(signal: AppSignal): Promise<boolean>
  /** Takes the mark back after WeChat has refused the call. False: the lock is lost. */
  unmark(): Promise<boolean>
  /** The last attempt of the runs before this one. */
  lastAttempt(): Attempt | undefined
}

/** What a settlement came to: what the settler gets, and the dead letter if it makes one. */
export interface Ending {
  readonly item: Item
  readonly dead?: { readonly id: string; readonly letter: DeadLetter }
}

/** A run as the consumer holds it. */
export interface OwnRun extends Run {
  /** What the settler has to know. */
  ending(settlement: Settlement): Ending
  /** To be called when the run is over, whatever it came to: another message may be the probe now, if this one was. */
  end(): Promise<void>
}

export interface RunOptions {
  readonly appid: string
  readonly keys: AppKeys
  readonly store: Store
  readonly leaseMs: number
  /** Calls that may start per second, over all workers of the app. */
  readonly maxPerSecond?: number | undefined
  readonly closedRule?: ClosedRule | undefined
  /** Whether the content of a delivered message stays in its job. True by default. */
  readonly keepsContent?: boolean | undefined
  readonly tells?: Tells | undefined
  readonly keeper: HoldKeeper
  /** Where a turn may have come from. */
  readonly settler: Pick<Settler, 'admissionOf'>
  readonly report: Pick<HoldReport, 'problem'>
}

export function createRun(job: Job, at: { token: string; signal: AbortSignal }, options: RunOptions): OwnRun {
  const { appid, keys, store, keeper, settler, keepsContent = true, tells } = options
  const id = String(job.id)
  let admission = settler.admissionOf(id, at.token)
  let member: LaneMember | undefined
  let probes = false
  const ask = askerOf({ id, token: at.token }, options)
  const unmark = async (): Promise<boolean> => {
    const call = { name: 'unmark', keys: [keys.sendJob(id), keys.sendLock(id)], args: [at.token] } as const
    return (await runScript<number>(store.redis, call)) === 1
  }
  return {
    appid,
    id,
    data: job.data,
    msgtype: job.name,
    acceptedAt: job.timestamp,
    signal: at.signal,
    now: () => store.clock.now(),
    async admit(message) {
      member = message
      if (admission !== undefined) {
        const { tries, leaseFrom } = admission
        admission = undefined
        return { kind: 'go', tries, leaseFrom }
      }
      const asked = await askForTurn((canWait) => ask(message, canWait), at.signal)
      probes = asked.probes
      return asked.turn
    },
    async signalApp(signal) {
      // A call that this side broke off says nothing about the way to WeChat.
      const said = at.signal.aborted && signal.kind === 'fault' && signal.cause === 'road' ? UNKNOWN : signal
      try {
        const held = await keeper.signal({ token: at.token, probes, touser: member?.touser, signal: said })
        probes = false
        return held
      } catch (error) {
        // The call has been made, and its message must end by what WeChat said of it. A fault of the app, of which Redis
        // does not hear now, costs no message a try all the same.
        options.report.problem({ what: 'what a call says about the app', error: messageOf(error) })
        return said.kind === 'fault'
      }
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
    ending: (settlement) =>
      endingOf({ job, token: at.token, member, appid, keys, store, keepsContent, tells }, settlement),
  }
}

/** What `admit.lua` is asked, by a run that its lock token names. */
function askerOf({ id, token }: { id: string; token: string }, options: RunOptions) {
  const { keys, store, leaseMs, maxPerSecond = 0, closedRule = CLOSED_RULE_DEFAULT } = options
  const { sendJobs, windowsOf, parkedLanes, rate, hold, windows } = keys
  const holds = closedRule.onClosed === 'hold' ? 1 : 0
  return ({ touser, sendAt }: LaneMember, canWait: number | ''): Promise<Answer> => {
    const joinsLate = sendAt === undefined ? 0 : 1
    return runScript(store.redis, {
      name: 'admit',
      keys: [keys.sendJob(id), keys.sendLock(id), keys.lane(touser), parkedLanes, rate, hold, windows],
      args: [id, token, leaseMs, sendJobs, joinsLate, maxPerSecond, canWait, windowsOf, touser, holds],
    })
  }
}

const UNKNOWN: AppSignal = { kind: 'unknown' }

interface Settling {
  readonly job: Job
  readonly token: string
  /** What the run asked for its turn with, if it did. */
  readonly member: LaneMember | undefined
  readonly appid: string
  readonly keys: AppKeys
  readonly store: Store
  readonly keepsContent: boolean
  readonly tells: Tells | undefined
}

function endingOf(settling: Settling, settlement: Settlement): Ending {
  const { job, token, member, keys, store, keepsContent } = settling
  const id = String(job.id)
  // A message that cannot be read may stand in a lane all the same.
  const run = { id, token, touser: member?.touser ?? recipientIn(job.data), fetches: false }
  const delivered = {
    ...run,
    kind: 'delivered',
    hadExpiry: member?.expiresAt !== undefined,
    isBullmqs: isBullmqs(job),
  } as const
  /** The whole history with this run's attempts, as BullMQ stores it; '' where there were none. */
  const historyWith = (attempts: readonly Attempt[]): string =>
    attempts.length === 0 ? '' : appendHistory(readHistory(job.stacktrace), { attempts })
  switch (settlement.kind) {
    case 'delivered': {
      const data = keepsContent ? '' : JSON.stringify(dataWithoutContent(job))
      const returned = JSON.stringify({ attempts: settlement.attempts })
      return { item: { ...delivered, returned, data, event: deliveryTold(settling, settlement.attempts) } }
    }
    case 'settled':
      return { item: { ...delivered, returned: '', data: '', event: '' } }
    case 'dead': {
      const history = [...readHistory(job.stacktrace), { attempts: settlement.attempts, reason: settlement.reason }]
      const end = { reason: settlement.reason, deadAt: store.clock.now() }
      const letter = letterOf(id, { data: job.data, timestamp: job.timestamp, history }, end)
      const parts = partsOf(keys, letter)
      const { isWindows = false, attempts } = settlement
      const ifAgain = isWindows ? historyWith(attempts) : undefined
      const event = deathTold(settling, letter)?.data
      return {
        item: { ...run, kind: 'dead', ...parts.dead, ifAgain, event },
        dead: { id: parts.dead.letterId, letter },
      }
    }
    case 'snooze': {
      const { delayMs, counts, attempts } = settlement
      const history = historyWith(attempts)
      return { item: { ...run, kind: 'snooze', delayMs, counts, history } }
    }
    case 'await-user': {
      const { attempts } = settlement
      const history = historyWith(attempts)
      return { item: { ...run, kind: 'await-user', history } }
    }
    case 'held':
      return { item: { ...run, kind: 'snooze', delayMs: HELD_MS, counts: false, history: '' } }
    case 'park':
      return { item: { ...run, kind: 'park' } }
    case 'give-back':
      return { item: { ...run, kind: 'give-back' } }
    // The script finds that neither lock nor mark are this run's, and leaves it alone.
    case 'lost':
      return { item: { ...run, kind: 'give-back' } }
  }
}

/** What is told of a delivery, as JSON; '' where nothing is. */
function deliveryTold({ job, appid, tells }: Settling, attempts: readonly Attempt[]): string {
  if (!tells?.has('message.delivered')) return ''
  const made = attemptsOf(readHistory(job.stacktrace)).length + attempts.length
  // What was delivered has been read.
  return JSON.stringify(deliveredEvent({ id: String(job.id), appid, data: job.data as JobData }, made))
}
