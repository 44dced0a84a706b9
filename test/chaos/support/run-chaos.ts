/** One run from beginning to end: plan, world, faults, the wait until all is settled, and the judgement. */
import { within } from '@wechat-outbox/outbox/engine'
import type { Cast } from './cast.ts'
import { openReader, type Reader } from './collect.ts'
import { FAULT_KINDS, type FaultCounts, type FaultKind, type FiredFault, planFaults } from './fault-plan.ts'
import { playFaults } from './faults.ts'
import { type Evidence, judge, type Verdict } from './judge.ts'
import { type People, startPeople } from './people.ts'
import { makePlan, type Plan, type PlanSize } from './plan.ts'
import { countFired, formatReport, formatViolations } from './report.ts'
import { type StrandedWatch, watchStranded } from './stranded.ts'
import { startWorld } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly size: PlanSize
  readonly faults: FaultCounts
  /** How long a worker's lock lasts. Default 3 s. */
  readonly leaseMs?: number
  readonly concurrency: number
  /** For the producers to come to their end, and after that for everything to settle. */
  readonly producingMsMax: number
  readonly settlingMsMax: number
}

export interface ChaosResult extends Verdict {
  readonly fired: FaultCounts
  readonly report: string
  /** Empty when nothing is wrong. */
  readonly problems: string
}

/** The seed of this run: CHAOS_SEED, or always the same. */
export function chaosSeed(): number {
  const seed = Number(process.env['CHAOS_SEED'] ?? 20_261)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('CHAOS_SEED must be a whole number')
  return seed
}

/** So many of these faults, and none of the others. */
export function faultCounts(counts: Partial<FaultCounts>): FaultCounts {
  const none = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
  return { ...none, ...counts }
}

const LEASE_MS = 3000

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, size, leaseMs = LEASE_MS } = options
  console.log(`chaos: CHAOS_SEED=${seed}`)
  const started = performance.now()
  const plan = makePlan(seed, size)
  const world = await startWorld(plan, { ...options, leaseMs, workers: 2 })
  const reader = openReader(world.redisUrl)
  const { redisUrl, fake } = world
  const people = startPeople({ plan, fake, redisUrl, redis: reader.redis, seed })
  try {
    const watch = watchStranded(reader.redis)
    const fired: FiredFault[] = []
    // What has not come to its end by then is judged as it stands.
    await within(
      Promise.all([playFaults(world, planFaults(seed, options.faults, leaseMs), fired), produced(world)]),
      options.producingMsMax,
      undefined,
    )
    const settled = await settle(world, { plan, fired, reader, watch, people, msMax: options.settlingMsMax })
    const { evidence, verdict } = settled
    const durationMs = settled.at - started
    const { byErrcode: answers } = world.fake.ledger.summary()
    const report = formatReport({ seed, durationMs, answers }, evidence, verdict)
    const problems = verdict.violations.length === 0 ? '' : formatViolations(world, evidence, verdict)
    return { ...verdict, fired: countFired(evidence), report, problems }
  } finally {
    await people.stop()
    await reader.close()
    await world.close()
  }
}

interface Run {
  readonly plan: Plan
  readonly fired: readonly FiredFault[]
  readonly reader: Reader
  readonly watch: StrandedWatch
  readonly people?: People
  /** For what is open to come to its end; what has not is judged as it stands. */
  readonly msMax: number
}

/** Waits until all is settled, reads what everybody wrote down, and judges it. `at`: when it was settled, of `performance.now()`. */
export async function settle(cast: Cast, { plan, fired, reader, watch, people, msMax }: Run) {
  const leftovers = await reader.settled(performance.now() + msMax)
  const at = performance.now()
  const stranded = await watch.stop()
  const calls = await people?.stop()
  const producers = await cast.books()
  const ids = new Set(producers.flat().flatMap((line) => (line.kind === 'acked' ? [line.id] : [])))
  const books = await reader.books([...ids], leftovers)
  const accepted = cast.fake.ledger.accepted()
  const windows = calls && { acted: people?.acted ?? [], calls, sends: cast.fake.ledger.sends() }
  const evidence: Evidence = {
    plan,
    producers,
    accepted,
    books,
    fired,
    stranded,
    windows,
    unsureLogged: unsureInLogs(cast),
  }
  return { at, evidence, verdict: judge(evidence) }
}

function unsureInLogs(world: Cast): Map<string, number> {
  const counts = new Map<string, number>()
  const logs = world.workers.flatMap((worker) => worker.all().map((child) => child.stdout()))
  for (const line of logs.flatMap((log) => log.split('\n'))) {
    if (!line.includes('"outcome":"unsure"')) continue
    const [, id = ''] = /"messageId":"([^"]+)"/.exec(line) ?? []
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

export async function produced(world: Cast): Promise<void> {
  await Promise.all(world.producers.map((producer) => producer.finished))
}
