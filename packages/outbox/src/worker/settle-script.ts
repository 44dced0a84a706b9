/** What a worker passes to `settle.lua` and what that returns: pure translations, so that the settler is about timing and failures alone. */
import { JOB_DATA_VERSION, type WindowDisagreement } from '@wechat-outbox/messages'
import type { JobJson } from 'bullmq'
import type { AppKeys } from '../redis/keys.ts'
import type { ScriptCall } from '../redis/scripts.ts'
import { CLOSED_RULE_DEFAULT, type ClosedRule } from '../windows/ledger.ts'
import { type KeepDelivered, keepArguments } from './trim.ts'

interface OfRun {
  readonly id: string
  /** The run's lock token. */
  readonly token: string
  /** Whose lane the message leaves or stays in; absent where that is not known. */
  readonly touser?: string | undefined
  /** The run asks for another message. */
  readonly fetches: boolean
}

/** What a run came to, as the script takes it. */
export type Item =
  /** No message has ended: the run only asks for one. */
  | {
      readonly kind: 'fetch'
      readonly id: ''
      readonly token: string
      readonly touser?: undefined
      readonly fetches: boolean
    }
  | (OfRun & {
      readonly kind: 'delivered'
      /** What the job returns, as JSON; '' for what stands in Redis already. */
      readonly returned: string
      readonly hadExpiry: boolean
      /** BullMQ's own method completes the job afterwards. */
      readonly isBullmqs: boolean
      /** What is left of the job's data when its content goes, as JSON; '' where it stays, or has gone. */
      readonly data: string
      /** What is told of it, as JSON; '' for nothing. */
      readonly event: string
    })
  | (OfRun & {
      readonly kind: 'snooze'
      readonly delayMs: number
      readonly counts: boolean
      /** The whole history with this run, as JSON; '' where nothing was added. */
      readonly history: string
    })
  | (OfRun & {
      readonly kind: 'dead'
      readonly letterId: string
      readonly letter: string
      readonly more: { reason: string; deadAt: number; acceptedAt: number; indexes: readonly string[] }
      /**
       * Given where WeChat refused it because of its recipient's reply window: the whole history with this run, as JSON, for a message
       * that is tried once more because the window may have opened since.
       */
      readonly ifAgain: string | undefined
      /** What is told of it, as JSON. */
      readonly event: string | undefined
    })
  | (OfRun & { readonly kind: 'await-user'; readonly history: string })
  | (OfRun & { readonly kind: 'park' | 'give-back' })

/** `again`: its reply window may have opened since the call, so it does not die. */
export type Outcome = 'done' | 'gone' | 'settled' | 'occupied' | 'again' | 'failed'

export interface Fetched {
  readonly id: string
  readonly json: JobJson
  /** Tries made before, of a message that has its turn. */
  readonly tries?: number
}

export interface Settled {
  readonly outcome: Outcome
  /** WeChat's answer was not what the reply window had led to expect. */
  readonly disagreement?: WindowDisagreement
  readonly error?: string
  readonly fetched: Fetched | undefined
  /** When the earliest delayed job becomes due, in epoch ms by Redis's clock; 0 where that is not known. */
  readonly dueAt: number
  /** The queue has what only BullMQ's own method can fetch: a rate, priorities. */
  readonly onlyBullmq: boolean
}

export interface SettleScript {
  /** Every lock lasts so long, in ms. */
  readonly lockMs: number
  readonly keepDelivered: KeepDelivered
  readonly closedRule?: ClosedRule | undefined
  readonly isReady: boolean
}

export function argumentsOf(keys: AppKeys, items: readonly Item[], script: SettleScript): ScriptCall {
  const { lockMs, keepDelivered, isReady, closedRule = CLOSED_RULE_DEFAULT } = script
  const args: (string | number)[] = [
    keys.sendJobs,
    keys.lanes,
    keys.deadJobs,
    keys.idempotency,
    lockMs,
    JOB_DATA_VERSION,
    isReady ? '1' : '',
    ...keepArguments(keepDelivered),
    keys.windowsOf,
    closedRule.onClosed === 'hold' ? '1' : '',
    closedRule.holdMaxMs,
    keys.callbackJobs,
  ]
  for (const item of items) {
    args.push(item.kind, item.id, item.token, item.touser ?? '', item.fetches ? '1' : '', ...ofKind(item))
  }
  return { name: 'settle', keys: keysOf(keys), args }
}

function keysOf(keys: AppKeys): string[] {
  return [
    keys.sendMeta,
    keys.sendWait,
    keys.sendActive,
    keys.sendDelayed,
    keys.sendCompleted,
    keys.sendFailed,
    keys.sendEvents,
    keys.sendMarker,
    keys.sendStalled,
    keys.sendPrioritized,
    keys.parkedLanes,
    keys.hold,
    keys.faultsInARow,
    keys.expiring,
    keys.windows,
  ]
}

function ofKind(item: Item): [string, string, string, string] {
  switch (item.kind) {
    case 'delivered':
      return [item.returned, (item.hadExpiry ? 'e' : '') + (item.isBullmqs ? 'b' : ''), item.data, item.event]
    case 'snooze':
      return [String(Math.max(1, Math.ceil(item.delayMs))), item.counts ? '1' : '', item.history, '']
    case 'dead':
      return [
        item.letterId,
        item.letter,
        JSON.stringify({ ...item.more, ifAgain: item.ifAgain, event: item.event }),
        '',
      ]
    case 'await-user':
      return [item.history, '', '', '']
    case 'park':
    case 'give-back':
    case 'fetch':
      return ['', '', '', '']
  }
}

/** Three values stand before those of the runs. */
const BEFORE_RUNS = 3

export function readAnswer(answered: readonly unknown[], n: number, item: Item): Settled {
  const [, dueAt, onlyBullmq] = answered as [string, string, string]
  const [said, ...rest] = answered[BEFORE_RUNS + n] as [string, ...(string | null)[]]
  const [outcome, disagreement] = said.split(':') as [Outcome, WindowDisagreement?]
  const at = { dueAt: Number(dueAt), onlyBullmq: item.fetches && onlyBullmq === '1' }
  if (outcome === 'failed') return { outcome, error: rest[0] ?? '', fetched: undefined, ...at }
  const unexpected = disagreement === undefined ? {} : { disagreement }
  return { outcome, ...unexpected, fetched: rest.length === 0 ? undefined : readFetched(rest), ...at }
}

/** What every message of ours begins with. */
const OURS = /^\{"v":\d+,"touser":"/

/** BullMQ does not return a job whose data is no JSON; here it is returned with that text as its data, and the message dies as invalid. */
function asJson(data: string): string {
  if (OURS.test(data)) return data
  try {
    JSON.parse(data)
    return data
  } catch {
    return JSON.stringify(data)
  }
}

/** In the order of FIELDS in `grant-turn.lua`. */
function readFetched(values: readonly (string | null)[]): Fetched {
  const [id, tries, name, data, opts, timestamp, atm, ats, stc, stacktrace, , , , parentKey, deid, rjk] = values
  const json: JobJson = {
    id: id ?? '',
    name: name ?? '',
    data: asJson(data ?? '{}'),
    opts: opts === null || opts === undefined || opts === '{}' ? {} : (JSON.parse(opts) as object),
    progress: 0,
    delay: 0,
    priority: 0,
    timestamp: Number(timestamp),
    attemptsStarted: Number(ats ?? 0) + 1,
    attemptsMade: Number(atm ?? 0),
    stalledCounter: Number(stc ?? 0),
    processedOn: Date.now(),
    stacktrace: (stacktrace ?? undefined) as never,
    failedReason: undefined as never,
    returnvalue: undefined as never,
    ...(parentKey ? { parentKey } : {}),
    ...(deid ? { deduplicationId: deid } : {}),
    ...(rjk ? { repeatJobKey: rjk } : {}),
  }
  return {
    id: json.id,
    json,
    ...(tries === '' || tries === null || tries === undefined ? {} : { tries: Number(tries) }),
  }
}
