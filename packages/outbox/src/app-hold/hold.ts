/**
 * An app that is held: suspended for a fault of its own or of the way to WeChat, throttled by a quota, or paused by an operator.
 *
 *   active ──fault──→ held ──it is time──→ probing ──the probe's message went──→ active
 *                       ↑                     │
 *                       └────the same fault, or nothing that proves anything────┘
 *
 * Held is a paused BullMQ queue, so no worker fetches and every tool sees it; probing is a queue of which one message at a
 * time is fetched, and `admit` lets one run call. The record beside it says why, and changes with the queue in one script.
 */
import type { AppFault, HoldCause, HoldKind, Reason } from '@wechat-outbox/messages'
import { parseJson } from '../bullmq/job-hash.ts'
import { holdTold, type Tells } from '../callbacks/tells.ts'
import { appKeys } from '../redis/keys.ts'
import { runScript } from '../redis/scripts.ts'
import type { Store } from '../redis/store.ts'

export interface HeldFault {
  readonly kind: HoldKind
  readonly cause: HoldCause
  readonly reason: Reason
  /** Epoch milliseconds, by Redis's clock. */
  readonly since: number
  /** The next probe. While `probing` it is past. */
  readonly until: number
  /** The next message is the probe, or is on its way. */
  readonly probing: boolean
}

export interface Hold {
  readonly appid: string
  readonly fault?: HeldFault
  /** An operator's own pause: no probe ends it. */
  readonly operator?: { readonly since: number; readonly why: string; readonly by?: string }
  /** The queue was paused with BullMQ alone, which leaves no record of when and why. No probe ends that either. */
  readonly pausedElsewhere: boolean
}

/** Why an app is held, or null while it is open. One round trip. */
export async function readHold(store: Store, appid: string): Promise<Hold | null> {
  const keys = appKeys(appid)
  const [fields, paused] = await Promise.all([
    store.redis.hgetall(keys.hold),
    store.redis.hget(`${keys.sendJobs}meta`, 'paused'),
  ])
  const hold: Hold = {
    appid,
    ...(fields['kind'] === undefined ? {} : { fault: readFault(fields) }),
    ...(fields['operator'] === undefined ? {} : { operator: operatorOf(fields) }),
    pausedElsewhere: paused !== null && paused !== 'wxo',
  }
  return hold.fault === undefined && hold.operator === undefined && !hold.pausedElsewhere ? null : hold
}

function operatorOf({ operator, why = '', by }: Record<string, string>): NonNullable<Hold['operator']> {
  return { since: Number(operator), why, ...(by === undefined || by === '' ? {} : { by }) }
}

/** The holds of those apps that are held: one pipelined round trip, however many apps there are. */
export async function readHolds(store: Store, appids: readonly string[]): Promise<Hold[]> {
  const holds = await Promise.all(appids.map((appid) => readHold(store, appid)))
  return holds.filter((hold) => hold !== null)
}

function readFault(fields: Record<string, string>): HeldFault {
  return {
    kind: fields['kind'] as HoldKind,
    cause: fields['cause'] as HoldCause,
    reason: parseJson(fields['reason']) as Reason,
    since: Number(fields['since']),
    until: Number(fields['until']),
    probing: fields['half'] === '1',
  }
}

/** An operator's pause, until an operator's resume; `why` and `by` whom is what others read beside it. Returns whether it was not paused by an operator before. */
export function pauseApp(
  store: Store,
  appid: string,
  { why = '', by = '' }: { why?: string | undefined; by?: string | undefined } = {},
): Promise<boolean> {
  return operate(store, appid, ['pause', why, by])
}

/** Ends every hold at once, whoever made it, and lets the token endpoint be asked at once. Returns whether there was one. */
export function resumeApp(store: Store, appid: string): Promise<boolean> {
  return operate(store, appid, ['resume', '', ''])
}

async function operate(
  store: Store,
  appid: string,
  word: readonly [action: string, why: string, by: string],
): Promise<boolean> {
  const { hold, faultsInARow, tokenFailure, sendJobs } = appKeys(appid)
  const call = { name: 'hold-operator', keys: [hold, faultsInARow, tokenFailure], args: [sendJobs, ...word] } as const
  return (await runScript<number>(store.redis, call)) === 1
}

/**
 * What a report came to. `again`: a probe has failed. `lifted`: it has shown that the way to WeChat is open. `until` is the next
 * probe, epoch ms by Redis's clock.
 */
export type Reported =
  | { readonly kind: 'active' | 'held' | 'lifted' }
  | { readonly kind: 'new' | 'again'; readonly until: number }

export async function reportFault(
  store: Store,
  appid: string,
  at: { token: string; touser?: string; fault: AppFault; tells?: Tells | undefined },
): Promise<Reported> {
  const { hold, faultsInARow, sendJobs } = appKeys(appid)
  const { fault, token, touser = '' } = at
  const { group, max, people = 1 } = fault.inARow ?? { group: '', max: 1 }
  const reason = [fault.reason.name, JSON.stringify(fault.reason)]
  const pauses = [fault.holdMs, fault.everyMs].map((ms) => Math.max(1, Math.ceil(ms)))
  const [kind, until] = await runScript<[Reported['kind'], string?]>(store.redis, {
    name: 'hold-fault',
    keys: [hold, faultsInARow],
    args: [
      sendJobs,
      token,
      group,
      max,
      fault.hold,
      fault.cause,
      ...reason,
      ...pauses,
      people,
      touser,
      ...holdTold(appid, fault.reason, at.tells),
    ],
  })
  return kind === 'new' || kind === 'again' ? { kind, until: Number(until) } : { kind }
}

/** An answer that only its own message can explain, or that shows that the way to WeChat is open. */
export async function endUnexplainedRow({ redis }: Store, appid: string): Promise<void> {
  await redis.hdel(appKeys(appid).faultsInARow, 'unexplained', 'unexplained:of', 'unexplained:others')
}

export type Proof = 'delivered' | 'healthy' | 'reached' | 'unknown' | 'unused'

/** What the call of the probing run came to, where that was no fault. */
export function proveApp(
  store: Store,
  appid: string,
  at: { token: string; proof: Proof },
): Promise<'lifted' | 'again' | 'none'> {
  const { hold, faultsInARow, sendJobs } = appKeys(appid)
  return runScript(store.redis, {
    name: 'hold-prove',
    keys: [hold, faultsInARow],
    args: [sendJobs, at.token, at.proof],
  })
}

export type ProbeTurn = { readonly kind: 'none' | 'ask' | 'probing' } | { readonly kind: 'wait'; readonly ms: number }

/** Is it time to probe, and is it this process's turn? */
export async function takeProbeTurn(store: Store, appid: string): Promise<ProbeTurn> {
  const { hold, sendJobs } = appKeys(appid)
  const call = { name: 'hold-turn', keys: [hold], args: [sendJobs] } as const
  const [kind, ms] = await runScript<[ProbeTurn['kind'], string?]>(store.redis, call)
  return kind === 'wait' ? { kind, ms: Number(ms) } : { kind }
}

/** The token endpoint has given a token again. */
export function liftTokenFault(store: Store, appid: string): Promise<'lifted' | 'probing' | 'none'> {
  const { hold, faultsInARow, sendJobs } = appKeys(appid)
  return runScript(store.redis, { name: 'hold-lift', keys: [hold, faultsInARow], args: [sendJobs] })
}
