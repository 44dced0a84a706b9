/** What a deliverer tells `callback-turn.lua` and hears of it: pure translations. */
import type { CallbackType } from '@wechat-outbox/messages'
import { type AppKeys, appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'
import { type KeepDelivered, keepArguments } from '../worker/trim.ts'

/** An event that a worker is to tell now. */
export interface TakenEvent {
  /** The same on every try. */
  readonly id: string
  readonly type: CallbackType
  /** When it became true, in epoch ms. */
  readonly at: number
  /** `data` of the body, as JSON. */
  readonly data: string
  /** Tries made before. */
  readonly tries: number
}

/** What a call came to. `back`: none was made. `unreadable`: none can be made. */
export interface EndedCall {
  readonly id: string
  readonly as: 'taken' | 'back' | 'failed' | 'gone' | 'given-up' | 'unreadable'
  /** Until it is tried again. */
  readonly waitMs?: number
  /** Holds no part of a URL. */
  readonly why?: string
}

/** What is the same in every turn of a deliverer. */
export interface TurnRule {
  /** Changes with every setting of the receiver, and tells none of them. */
  readonly print: string
  readonly leaseMs: number
  readonly keepTold: KeepDelivered
  readonly keepGivenUpMs: number
  /** Failures in a row that hold the receiver. */
  readonly failuresMax: number
  /** The first pause of a receiver that is held; it doubles. */
  readonly pauseMs: number
  readonly pauseMsMax: number
  /** An event that has waited longer is given up. */
  readonly ageMsMax: number
}

export interface Turn {
  readonly events: readonly TakenEvent[]
  /** Until the earliest delayed event is due; undefined where none is delayed. */
  readonly dueInMs: number | undefined
  /** Until a receiver that is held is tried again; Infinity where its settings have to change first. */
  readonly heldForMs: number | undefined
  /** What has become of the receiver in this turn. */
  readonly became: 'held' | 'again' | 'resumed' | undefined
  /** Events that were dropped since the last turn of any worker, because too many waited. */
  readonly dropped: number
  /** Events that were given up in this turn because of their age. */
  readonly tooOld: number
}

export async function takeTurn(
  { store, appid }: { readonly store: Store; readonly appid: string },
  rule: TurnRule,
  { ended, wanted }: { readonly ended: readonly EndedCall[]; readonly wanted: number },
): Promise<Turn> {
  const keys = appKeys(appid)
  const { print, leaseMs, keepTold, keepGivenUpMs, failuresMax, pauseMs, pauseMsMax, ageMsMax } = rule
  const { callbackWait, callbackDelayed, callbackCompleted, callbackFailed } = keys
  const answered = await runScript<unknown[]>(store.redis, {
    name: 'callback-turn',
    keys: [callbackWait, callbackDelayed, callbackCompleted, callbackFailed, ...besides(keys)],
    args: [
      keys.callbackJobs,
      print,
      wanted,
      leaseMs,
      ...keepArguments(keepTold),
      Math.floor(keepGivenUpMs / 1000),
      failuresMax,
      pauseMs,
      pauseMsMax,
      ageMsMax,
      ...ended.flatMap(({ id, as, waitMs = '', why = '' }) => [id, as, waitMs, why]),
    ],
  })
  return readTurn(answered)
}

const besides = ({ callbackMarker, callbackHold, callbackDropped }: AppKeys) => [
  callbackMarker,
  callbackHold,
  callbackDropped,
]

type Answered = [now: string, due: string, held: string, became: string, dropped: number, old: number]

function readTurn(answered: readonly unknown[]): Turn {
  const [now, due, held, became, dropped, tooOld] = answered as unknown as Answered
  const inMs = (at: string): number => Math.max(0, Number(at) - Number(now))
  return {
    events: answered.slice(6).map((one) => readEvent(one as string[])),
    dueInMs: due === '' ? undefined : inMs(due),
    heldForMs: held === '' ? undefined : held === 'gone' ? Number.POSITIVE_INFINITY : inMs(held),
    became: became === '' ? undefined : (became as 'held' | 'again' | 'resumed'),
    dropped,
    tooOld,
  }
}

function readEvent([id = '', type, data = '', at, tries]: readonly string[]): TakenEvent {
  return { id, type: type as CallbackType, data, at: Number(at), tries: Number(tries) }
}
