/**
 * Tells an app's receiver what has become true, one deliverer in each worker that serves the app. It takes events from the queue
 * `callback`, a few at a time, and calls; what a call came to goes to Redis with the next turn, which takes further events.
 *
 *   waiting ──turn──→ delayed until its lease is over, and called ──2xx──→ completed, kept for a while
 *      ↑                          │
 *      └──(due: tried again)── delayed ←──anything else──┴──after the last try──→ failed, kept for a replay
 *
 * An event is told at least once: a worker that dies after its call and before its turn has told it, and another tells it again when the
 * lease is over. While the receiver is held (see the script) nothing is taken but one event now and then, and no event that is added
 * wakes a deliverer. None of this stands in the way of a message: the settler never waits for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SharedWait } from '../bullmq/shared-wait.ts'
import type { Retain } from '../erase/strip.ts'
import { messageOf } from '../errors.ts'
import { appKeys } from '../redis/keys.ts'
import type { Store } from '../redis/store.ts'
import type { Tells } from './tells.ts'
import { type EndedCall, type TakenEvent, type Turn, type TurnRule, takeTurn } from './turn.ts'

export type Called =
  | { readonly kind: 'taken' }
  /** No call can be made of the event, which says nothing about the receiver. */
  | { readonly kind: 'unreadable'; readonly why: string }
  /** `why` holds no part of a URL. `isGone`: the receiver wants no more. `retryAfterMs`: it has said when to come back. */
  | {
      readonly kind: 'failed'
      readonly why: string
      readonly isGone?: boolean | undefined
      readonly retryAfterMs?: number | undefined
    }

/** Who is told. */
export interface Receiver {
  readonly tells: Tells
  /** Changes with every setting of the receiver, and tells none of them. */
  readonly print: string
  /** One call, of a bounded time. Must not reject. */
  readonly call: (event: TakenEvent, signal: AbortSignal) => Promise<Called>
  readonly report: CallbackReport
}

export interface CallbackReport {
  readonly told: (told: ToldEvent) => void
  /** The receiver is held, was tried in vain, or takes events again. */
  readonly receiver: (state: { became: NonNullable<Turn['became']>; heldForMs: number | undefined }) => void
  /** Events that nobody will be told of without a replay (`tooOld`), or at all (`dropped`). */
  readonly lost: (lost: { dropped: number; tooOld: number }) => void
}

export interface ToldEvent {
  readonly event: TakenEvent
  readonly outcome: 'taken' | 'failed' | 'given-up'
  /** Why it was not taken. */
  readonly why?: string | undefined
  readonly ms: number
}

export interface DelivererOptions {
  readonly appid: string
  readonly store: Store
  /** Undefined on a Redis Cluster: then it looks every second. */
  readonly sharedWait: SharedWait | undefined
  readonly receiver: Receiver
  readonly onProblem: (problem: { what: string; error: string }) => void
  /** Told events are kept for a replay like delivered messages, those that were given up like dead letters. */
  readonly retain: Retain
  /** For tests. */
  readonly callbackPauses?: Partial<Pauses> | undefined
}

/** What the rule of a turn is made of. */
interface RuleOf {
  readonly receiver: Pick<Receiver, 'print'>
  readonly retain: Retain
}

/** The times that a receiver knows from `docs/callbacks.md`. */
export interface Pauses {
  /** After the first try, after the second, and so on; then an event is given up. */
  readonly retryMs: readonly number[]
  readonly holdMs: number
  readonly holdMsMax: number
  readonly leaseMs: number
  readonly ageMsMax: number
}

export interface Deliverer {
  run(): void
  /** Takes nothing more; resolves when the calls under way have ended, or once `signal` has broken them off, and Redis knows. */
  close(signal: AbortSignal): Promise<void>
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const PAUSES: Pauses = {
  retryMs: [
    5 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    24 * HOUR_MS,
  ],
  holdMs: 15 * SECOND_MS,
  holdMsMax: MINUTE_MS,
  // Longer than any call.
  leaseMs: 30 * SECOND_MS,
  // Longer than all tries together.
  ageMsMax: 72 * HOUR_MS,
}
/** Calls under way at once, of one app in one worker. */
export const CALLBACKS_AT_ONCE = 16
const FAILURES_MAX = 5
const LOOK_EVERY_MS = 60_000
const LOOK_WITHOUT_WAIT_MS = 1000
/** An operator who resumes a receiver, or another worker that finds it well, tells nobody. */
const LOOK_WHILE_HELD_MS = 15_000
const AFTER_FAULT_MS_MAX = 5000

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { receiver, onProblem } = options
  const pauses = { ...PAUSES, ...options.callbackPauses }
  const rule = ruleOf(options, pauses)
  const stop = new AbortController()
  const pause = createPause(options, stop.signal)
  const calls = createCalls(receiver, pauses.retryMs, () => pause.end())
  let faults = 0
  let running: Promise<void> = Promise.resolve()

  /** What has ended is kept until Redis has it; if it never does, the leases end, and the events are told again. */
  async function turn(wanted: number): Promise<Turn | undefined> {
    const ended = calls.takeEnded()
    try {
      const made = await takeTurn(options, rule, { ended, wanted })
      faults = 0
      tell(receiver.report, made)
      return made
    } catch (error) {
      calls.putBack(ended)
      // One line for a row of faults: whoever watches Redis says more.
      if (faults === 0) onProblem({ what: 'callbacks', error: messageOf(error) })
      faults += 1
      return undefined
    }
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      const made = await turn(calls.room())
      if (made === undefined) {
        const ms = Math.min(50 * 2 ** Math.min(faults, 10), AFTER_FAULT_MS_MAX)
        await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined)
        continue
      }
      for (const event of made.events) calls.start(event)
      if (!calls.hasEnded()) await pause.begin(made, calls.room() === 0)
    }
  }

  return {
    run() {
      running = loop()
    },
    async close(signal) {
      stop.abort()
      await running
      await calls.finish(signal)
      if (calls.hasEnded()) await turn(0)
    },
  }
}

function tell(report: CallbackReport, { became, heldForMs, dropped, tooOld }: Turn): void {
  if (became !== undefined) report.receiver({ became, heldForMs })
  if (dropped + tooOld > 0) report.lost({ dropped, tooOld })
}

/** The calls under way, and those that have ended and that Redis does not know of yet. */
function createCalls({ call: callReceiver, report }: Receiver, retryMs: readonly number[], onEnded: () => void) {
  const cut = new AbortController()
  const open = new Set<Promise<void>>()
  let ended: EndedCall[] = []

  async function call(event: TakenEvent): Promise<void> {
    const { id } = event
    const started = performance.now()
    const called = await callReceiver(event, cut.signal)
    const ms = performance.now() - started
    if (called.kind === 'taken') {
      ended.push({ id, as: 'taken' })
      return report.told({ event, outcome: 'taken', ms })
    }
    // What this side broke off says nothing about the receiver.
    if (cut.signal.aborted) return void ended.push({ id, as: 'back' })
    const failed = failedCall(event, called, retryMs)
    ended.push(failed)
    const isOver = failed.as === 'given-up' || failed.as === 'unreadable'
    report.told({ event, outcome: isOver ? 'given-up' : 'failed', why: called.why, ms })
  }

  return {
    room: (): number => CALLBACKS_AT_ONCE - open.size,
    hasEnded: (): boolean => ended.length > 0,
    start(event: TakenEvent): void {
      const one = call(event).finally(() => {
        open.delete(one)
        onEnded()
      })
      open.add(one)
    },
    takeEnded(): EndedCall[] {
      const taken = ended
      ended = []
      return taken
    },
    putBack(taken: readonly EndedCall[]): void {
      ended = [...taken, ...ended]
    },
    /** Resolves when all have ended, or were broken off by the signal. */
    async finish(signal: AbortSignal): Promise<void> {
      const abort = (): void => cut.abort()
      signal.addEventListener('abort', abort)
      if (signal.aborted) abort()
      while (open.size > 0) await Promise.all(open)
      signal.removeEventListener('abort', abort)
    },
  }
}

/** What a deliverer waits for between two turns: the end of a call or, where one more could be made, an event for it. */
function createPause({ appid, sharedWait }: DelivererOptions, stopped: AbortSignal) {
  const marker = appKeys(appid).callbackMarker
  let end: () => void = () => undefined
  return {
    end: (): void => end(),
    async begin({ dueInMs = LOOK_EVERY_MS, heldForMs }: Turn, isFull: boolean): Promise<void> {
      if (stopped.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      end = () => resolve()
      const isHeld = heldForMs !== undefined && heldForMs > 0
      const lookMs = sharedWait === undefined ? LOOK_WITHOUT_WAIT_MS : LOOK_EVERY_MS
      const ms = isHeld ? Math.min(heldForMs, LOOK_WHILE_HELD_MS) : Math.min(dueInMs, lookMs)
      const timer = isFull ? undefined : setTimeout(resolve, ms + 1)
      const waiting = isFull || isHeld ? undefined : sharedWait?.wait(marker, ms + 1)
      waiting?.heard.then(end, end)
      stopped.addEventListener('abort', end)
      await promise
      stopped.removeEventListener('abort', end)
      clearTimeout(timer)
      waiting?.cancel(new Error('over'))
    },
  }
}

function failedCall(
  { id, tries }: TakenEvent,
  called: Exclude<Called, { kind: 'taken' }>,
  retryMs: readonly number[],
): EndedCall {
  if (called.kind === 'unreadable') return { id, as: 'unreadable', why: called.why }
  const { why, isGone, retryAfterMs = 0 } = called
  const waitMs = retryMs[tries]
  if (waitMs === undefined) return { id, as: 'given-up', why }
  // Nobody asks for more than the longest pause that there is anyway.
  const askedMs = Math.min(retryAfterMs, retryMs.at(-1) ?? 0)
  return { id, as: isGone ? 'gone' : 'failed', waitMs: Math.max(waitMs, askedMs), why }
}

/**
 * For an app without a receiver, which may have had one: what was told of people does not stay for longer than it would with one, and what
 * was never told is given up in its time.
 */
export async function expireEvents(at: { store: Store; appid: string; retain: Retain }): Promise<void> {
  const rule = ruleOf({ receiver: { print: '' }, retain: at.retain }, PAUSES)
  await takeTurn(at, rule, { ended: [], wanted: 0 })
}

function ruleOf({ receiver, retain }: RuleOf, { holdMs, holdMsMax, leaseMs, ageMsMax }: Pauses): TurnRule {
  return {
    print: receiver.print,
    leaseMs,
    keepTold: { ms: retain.deliveredMs, count: retain.deliveredMax },
    keepGivenUpMs: retain.deadMs,
    failuresMax: FAILURES_MAX,
    pauseMs: holdMs,
    pauseMsMax: holdMsMax,
    ageMsMax,
  }
}
