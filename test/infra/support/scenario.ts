/**
 * One scenario from beginning to end: the cast of the chaos before some Redis, a fault when a third of the messages has reached
 * WeChat, the rest of them, the wait until all is settled, and the judgement; and the row in which it is told.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFakeWechat } from '@wechat-outbox/fake-wechat'
import type { OutboxOptions } from '@wechat-outbox/outbox'
import { within } from '@wechat-outbox/outbox/engine'
import { type Cast, makeSlow, startCast } from '../../chaos/support/cast.ts'
import { openReader } from '../../chaos/support/collect.ts'
import type { FiredFault } from '../../chaos/support/fault-plan.ts'
import type { Evidence, Figures } from '../../chaos/support/judge.ts'
import { makePlan } from '../../chaos/support/plan.ts'
import { formatViolations } from '../../chaos/support/report.ts'
import { produced, settle } from '../../chaos/support/run-chaos.ts'
import { watchStranded } from '../../chaos/support/stranded.ts'
import { type Topology, until } from './topology.ts'

export interface Scenario<Of extends Topology> {
  readonly start: (dir: string) => Promise<Of>
  /** Absent: nothing goes wrong. Resolves when it is over. */
  readonly fault?: (at: Of) => Promise<void>
  readonly durability?: OutboxOptions['durability']
}

export interface Outcome extends Figures {
  readonly lost: number
  /** Left over when the time was up, and messages that waited for nobody without a fault near. */
  readonly stuck: number
  /** Calls that were made again although a worker had heard WeChat's answer. */
  readonly doublesHeard: number
  /** From the fault to the first message that reached WeChat after the longest silence. */
  readonly flowsAgainS: number
  /** Empty where the judge has found nothing. */
  readonly problems: string
}

const SEED = 20_261
const MESSAGES = Number(process.env['INFRA_MESSAGES'] ?? 2000)
const CONCURRENCY = 16
const WORKERS = 2
const FAULT_AT = 0.3
/** Some are cancelled and never reach WeChat. */
const ALLOWED_BEFORE = 0.35
/** So that the fault meets producers at work, and some messages wait. */
const ALLOWED_DURING = 0.5
const PRODUCING_MS_MAX = 180_000
const SETTLING_MS_MAX = 120_000

export async function play<Of extends Topology>(name: string, scenario: Scenario<Of>): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-infra-'))
  const topology = await scenario.start(dir)
  const plan = makePlan(SEED, { messages: MESSAGES, hot: MESSAGES / 20, producers: 2 })
  const fake = await startFakeWechat({ seed: SEED })
  makeSlow(fake)
  const cast = await startCast({
    plan,
    fake,
    dir,
    wechatUrl: fake.url,
    workerUrls: Array<string>(WORKERS).fill(topology.url),
    producerUrl: topology.url,
    durability: scenario.durability,
    // As in production: what a failover takes is far less.
    leaseMs: 30_000,
    concurrency: CONCURRENCY,
    env: topology.env,
  })
  const reader = openReader(topology.lookUrl)
  try {
    const watch = watchStranded(reader.redis)
    const fired: FiredFault[] = []
    const faults = fault(cast, topology, scenario.fault).then((one) => fired.push(...one))
    await within(Promise.all([faults, produced(cast)]), PRODUCING_MS_MAX, undefined)
    const { evidence, verdict } = await settle(cast, { plan, fired, reader, watch, msMax: SETTLING_MS_MAX })
    const outcome: Outcome = {
      ...verdict.figures,
      lost: lostIn(evidence),
      stuck: stuckIn(evidence) + verdict.figures.strandedInCalm,
      doublesHeard: heardAndSentAgain(cast),
      flowsAgainS: flowsAgainS(evidence),
      problems: verdict.violations.length === 0 ? '' : formatViolations(cast, evidence, verdict),
    }
    rows.push([name, String(MESSAGES), ...COLUMNS.map((column) => String(outcome[column]))])
    return outcome
  } finally {
    await reader.close()
    await cast.close()
    await Promise.all([fake.close(), topology.close()])
    await rm(dir, { recursive: true, force: true })
  }
}

async function fault<Of extends Topology>(
  cast: Cast,
  topology: Of,
  hit: ((at: Of) => Promise<void>) | undefined,
): Promise<FiredFault[]> {
  await cast.allow(ALLOWED_BEFORE)
  await until('a third of the messages has reached WeChat', async () => cast.progress() >= FAULT_AT)
  if (hit === undefined) {
    await cast.allow(1)
    return []
  }
  await cast.allow(ALLOWED_DURING)
  const from = Date.now()
  await hit(topology)
  const accepted = cast.fake.ledger.acceptedCount()
  await cast.allow(1)
  await until('sends flow again', async () => cast.fake.ledger.acceptedCount() > accepted)
  // What it can leave open is what its row is about.
  return [{ kind: 'redis-kill', from, until: Date.now(), open: CONCURRENCY * WORKERS }]
}

/** Acknowledged, and neither with WeChat nor anywhere else in the books. */
function lostIn({ producers, accepted, books }: Evidence): number {
  const taken = new Set(
    accepted.map(({ rawBody }) => (JSON.parse(rawBody) as { text: { content: string } }).text.content),
  )
  const acked = producers.flat().flatMap((line) => (line.kind === 'acked' ? [line] : []))
  const lost = acked.filter(({ key, id }) => !taken.has(key) && books.statuses.get(id) === null)
  return new Set(lost.map(({ key }) => key)).size
}

function stuckIn({ books: { leftovers } }: Evidence): number {
  const open = Object.values(leftovers.open).reduce((sum, count) => sum + count, 0)
  return Math.max(open, leftovers.lanes.length)
}

/** A worker logs each attempt when it has WeChat's answer. */
function heardAndSentAgain({ workers }: Cast): number {
  const heard = new Map<string, number>()
  const logs = workers.flatMap((worker) => worker.all().map((child) => child.stdout()))
  for (const line of logs.flatMap((log) => log.split('\n'))) {
    const [, id] = /"messageId":"([^"]+)"/.exec(line) ?? []
    if (id === undefined || !/"outcome":"delivered"/.test(line)) continue
    heard.set(id, (heard.get(id) ?? 0) + 1)
  }
  return [...heard.values()].reduce((sum, count) => sum + count - 1, 0)
}

function flowsAgainS({ fired: [one], accepted }: Evidence): number {
  if (one === undefined) return 0
  const times = [one.from, ...accepted.map(({ at }) => at).filter((at) => at > one.from && at <= one.until)]
  let longest = { ms: 0, end: one.from }
  for (const [n, at] of times.entries()) {
    const ms = at - (times[n - 1] ?? at)
    if (ms > longest.ms) longest = { ms, end: at }
  }
  return (longest.end - one.from) / 1000
}

const COLUMNS = ['lost', 'stuck', 'outOfOrder', 'doubles', 'doublesHeard', 'flowsAgainS'] as const
const HEAD = ['fault', 'load', 'lost', 'stuck', 'out of order', 'doubles', 'of them heard', 'seconds until sends flow']
const rows: string[][] = []

/** All that has been played in this process. */
export function table(): string {
  const lines = [HEAD, ...rows]
  const widths = HEAD.map((_, n) => Math.max(...lines.map((line) => line[n]?.length ?? 0)))
  return lines.map((line) => line.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ')).join('\n')
}
