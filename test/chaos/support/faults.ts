/** What goes wrong, how often and when: a schedule from the seed, and the hands that carry it out on the real parts. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '@wechat-outbox/sandbox'
import { createRandom, type Random } from './random.ts'
import type { Supervised } from './supervise.ts'
import type { World } from './world.ts'

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
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]
export type FaultCounts = Readonly<Record<FaultKind, number>>

export interface PlannedFault {
  readonly kind: FaultKind
  /** It comes when this share of the messages has reached WeChat. */
  readonly at: number
  /** Which worker or producer, for those that hit one. */
  readonly target: number
  readonly waitMs: number
  readonly lastsMs: number
}

export interface FiredFault {
  readonly kind: FaultKind
  readonly from: number
  readonly until: number
  /** Calls to WeChat that it can have left open, at most. */
  readonly open: number
}

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
}

export function planFaults(seed: number, counts: FaultCounts): PlannedFault[] {
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
    lastsMs: lasts(kind, random),
  })
  return [
    ...kinds.map((kind, place) => planned(kind, FAULTS_FROM + step * (place + random.next()))),
    ...inCalm.map((at) => planned('token-invalidation', at)),
  ]
}

function lasts(kind: FaultKind, random: Random): number {
  const [min, max] = LASTS_MS[kind]
  return random.between(min, max)
}

/** Those that hit producers, who would mostly be met waiting. */
const SURGED: ReadonlySet<FaultKind> = new Set(['producer-kill', 'producers-reset', 'producers-cut', 'redis-kill'])

/** A whole system that stands still is met by the next fault rather than waited for. */
const NO_PROGRESS_MS = 8000
const LOOK_EVERY_MS = 10
const INVALIDATIONS_APART_MS = 1500

/** Plays the schedule from beginning to end; what has fired is added to `fired` as it happens. */
export async function playFaults(world: World, faults: readonly PlannedFault[], fired: FiredFault[]): Promise<void> {
  const paused: Promise<void>[] = []
  let isCalm = false
  const becalm = async (): Promise<void> => {
    if (isCalm) return
    isCalm = true
    await Promise.all(paused)
    await sleep(AFTERMATH_MS)
    world.calm()
  }
  for (const fault of faults) {
    if (fault.at > CALM_FROM) await becalm()
    await progress(world, fault.at)
    if (SURGED.has(fault.kind)) await world.surge()
    await sleep(SURGED.has(fault.kind) ? fault.waitMs / 3 : fault.waitMs)
    if (fault.kind === 'token-invalidation') await apart(fired)
    const from = Date.now()
    const open = openCalls(world, fault)
    const done = play(world, fault).then(() => void fired.push({ kind: fault.kind, from, until: Date.now(), open }))
    // Others go wrong while a worker stands still.
    if (fault.kind === 'worker-stop') paused.push(done)
    else await done
  }
  await becalm()
}

/** A second refusal within one run is taken for the app's fault, and the message waits a minute: right, but long. */
async function apart(fired: readonly FiredFault[]): Promise<void> {
  const last = fired.findLast(({ kind }) => kind === 'token-invalidation')
  if (last !== undefined) await sleep(Math.max(0, last.from + INVALIDATIONS_APART_MS - Date.now()))
}

async function progress(world: World, share: number): Promise<void> {
  let seen = world.progress()
  let since = performance.now()
  while (world.progress() < share && performance.now() - since < NO_PROGRESS_MS) {
    await sleep(LOOK_EVERY_MS)
    if (world.progress() === seen) continue
    seen = world.progress()
    since = performance.now()
  }
}

function openCalls(world: World, { kind, lastsMs }: PlannedFault): number {
  const one = world.concurrency
  const all = one * world.workers.length
  switch (kind) {
    case 'worker-kill':
    case 'worker-stop':
      return one
    // A place whose call has timed out takes the next one, which the same stall may hold too.
    case 'wechat-stall':
      return all * (Math.floor(lastsMs / world.sendTimeoutMs) + 1)
    case 'wechat-reset':
    case 'wechat-cut':
    case 'redis-kill':
    case 'redis-reset':
    case 'redis-stall':
    case 'redis-cut':
      return all
    case 'producer-kill':
    case 'producers-reset':
    case 'producers-stall':
    case 'producers-cut':
    case 'token-invalidation':
      return 0
  }
}

async function play(world: World, fault: PlannedFault): Promise<void> {
  const { kind, lastsMs } = fault
  switch (kind) {
    case 'worker-kill':
      return pick(world.workers, fault).kill9()
    case 'producer-kill':
      return pick(world.producers, fault).kill9()
    case 'worker-stop': {
      const goOn = pick(world.workers, fault).pause()
      await sleep(lastsMs)
      return goOn()
    }
    case 'redis-kill':
      return world.killRedis(lastsMs)
    case 'token-invalidation':
      return world.fake.control.invalidateTokens()
    default: {
      const [road, how] = kind.split('-') as ['wechat' | 'redis' | 'producers', 'reset' | 'stall' | 'cut']
      return spoil(world.roads[road], how, lastsMs)
    }
  }
}

/** One that runs, if there is one: a process that stands still has been hit already. */
function pick(all: readonly Supervised[], { target }: PlannedFault): Supervised {
  const running = all.filter((one) => !one.isStopped())
  const from = running.length > 0 ? running : all
  const one = from[target % from.length]
  if (one === undefined) throw new Error('there is nobody to hit')
  return one
}

async function spoil(road: TcpProxy, how: 'reset' | 'stall' | 'cut', lastsMs: number): Promise<void> {
  switch (how) {
    case 'reset':
      return road.resetAll()
    case 'stall':
      road.stall(true)
      await sleep(lastsMs)
      return road.stall(false)
    case 'cut':
      road.cutReplies(true)
      await sleep(lastsMs)
      // A stream never misses its middle: what lost a reply ends.
      road.resetAll()
      return road.cutReplies(false)
  }
}
