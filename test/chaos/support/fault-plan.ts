/** What goes wrong, how often, when and for how long: a schedule made from the seed alone, before anything runs. */
import { createRandom, type Random } from './random.ts'

export const FAULT_KINDS = [
  'worker-kill',
  'worker-stop',
  'producer-kill',
  'redis-kill',
  'wechat-reset',
  'wechat-stall',
  'wechat-cut',
  'redis-reset',
  'redis-stall',
  'redis-cut',
  'producers-reset',
  'producers-stall',
  'producers-cut',
  'token-invalidation',
  'refuse-noreplicas',
  'refuse-oom',
  'refuse-busy',
  'refuse-readonly',
  'refuse-misconf',
  'errors-at-random',
  'script-flush',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]
export type FaultCounts = Readonly<Record<FaultKind, number>>

export interface PlannedFault {
  readonly kind: FaultKind
  /** It comes when the producers may send more than this share of the messages. */
  readonly at: number
  /** Which worker or producer, for those that hit one. */
  readonly target: number
  readonly waitMs: number
  readonly lastsMs: number
  /** Nothing goes wrong for so long afterwards. */
  readonly restMs: number
}

export interface FiredFault {
  readonly kind: FaultKind
  readonly from: number
  readonly until: number
  /** Calls to WeChat that it can have left open, at most. */
  readonly open: number
  /** Of the faults in which Redis answers with errors: how many commands it refused. */
  readonly refused?: number
}

/**
 * Those in which every connection stands and every process lives, but Redis refuses. They leave no call open: what a worker
 * has heard from WeChat it keeps, and has it recorded once Redis writes again.
 */
export const isRefusal = (kind: FaultKind): boolean => /^(refuse|errors|script)-/.test(kind)

/**
 * The last part of the messages is sent in calm: only tokens end there. What goes wrong then, no fault excuses. The faults
 * stop earlier than the producers do, because who died or was cancelled never reaches WeChat.
 */
const FAULTS_FROM = 0.03
const FAULTS_UNTIL = 0.68
export const CALM_FROM = 0.75
const CALM_INVALIDATIONS = [0.78, 0.84, 0.9]
/** How long after a fault its consequences may begin, in ms: a lock's end, a look for stalled jobs, a reconnection. */
export const AFTERMATH_MS = 5000

const REFUSAL_MS = [200, 3000] as const
/** A lock lasts 3 s, so half of the long ones outlast it. */
const LASTS_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'worker-kill': [0, 0],
  'worker-stop': [4000, 5500],
  'producer-kill': [0, 0],
  'redis-kill': [0, 1500],
  'wechat-reset': [0, 0],
  'wechat-stall': [300, 1700],
  'wechat-cut': [20, 400],
  'redis-reset': [0, 0],
  'redis-stall': [500, 4500],
  'redis-cut': [20, 400],
  'producers-reset': [0, 0],
  'producers-stall': [300, 2500],
  'producers-cut': [20, 400],
  'token-invalidation': [0, 0],
  'refuse-noreplicas': REFUSAL_MS,
  'refuse-oom': REFUSAL_MS,
  'refuse-busy': REFUSAL_MS,
  'refuse-readonly': REFUSAL_MS,
  'refuse-misconf': REFUSAL_MS,
  'errors-at-random': [500, 3000],
  'script-flush': [0, 0],
}

/**
 * What a refusal may last, as a share of the lease. A lock is renewed when half of it is over, so at least half of it is left
 * when a refusal begins: with a third gone, a worker still has time to record what it knows while the message is its own.
 * And it needs that time before the next one begins, or several would last as long as their sum.
 */
const OF_LEASE_MAX = 0.3

export function planFaults(seed: number, counts: FaultCounts, leaseMs: number): PlannedFault[] {
  const random = createRandom(seed ^ 0x5eed)
  const inCalm = CALM_INVALIDATIONS.slice(0, Math.floor(counts['token-invalidation'] / 3))
  const stormy = { ...counts, 'token-invalidation': counts['token-invalidation'] - inCalm.length }
  const kinds = random.shuffle(FAULT_KINDS.flatMap((kind) => Array<FaultKind>(stormy[kind]).fill(kind)))
  const step = (FAULTS_UNTIL - FAULTS_FROM) / kinds.length
  const planned = (kind: FaultKind, at: number): PlannedFault => ({
    kind,
    at,
    target: random.between(0, 1000),
    waitMs: random.between(0, 150),
    lastsMs: lasts(kind, random, leaseMs),
    restMs: isRefusal(kind) ? OF_LEASE_MAX * leaseMs : 0,
  })
  return [
    ...kinds.map((kind, place) => planned(kind, FAULTS_FROM + step * (place + random.next()))),
    ...inCalm.map((at) => planned('token-invalidation', at)),
  ]
}

function lasts(kind: FaultKind, random: Random, leaseMs: number): number {
  const [min, max] = LASTS_MS[kind]
  return random.between(min, isRefusal(kind) ? Math.min(max, OF_LEASE_MAX * leaseMs) : max)
}
