/** Messages sent per second, against the baseline: to people who get one, who get five in a row, and all at once. */
import type { FarPlan } from '../far-side/plan.ts'
import { type Measurement, pick, type Size } from '../measurement.ts'
import type { Shape } from '../messages.ts'
import { atLeast, atMost, beside, compared, type Row } from '../row.ts'
import { SIDES, type Side } from '../sides.ts'
import { inTurns } from '../stats.ts'
import { type Sent, takeTurn } from '../turn.ts'
import type { World } from '../world.ts'

interface Scenario {
  readonly name: string
  readonly what: string
  readonly shape: Shape
  readonly target: number
  /** Commands in Redis per message, at most. Default: not a row. */
  readonly commands?: number
  /** Default 50,000. */
  readonly count?: number
  readonly workers?: number
  readonly plan?: Omit<FarPlan, 'marksAt'>
}

/** Long enough for the compiler to have done most of its work in the first fifth. */
const COUNT = 50_000
/** As many as are on their way for as long, where answers are slow. */
const ROUGH_COUNT = 10_000
const BURSTS = { kind: 'bursts', length: 5 } as const

const SCENARIOS: readonly Scenario[] = [
  { name: 'sends-bursts', what: 'Sends, five in a row to each person', shape: BURSTS, target: 1.05, commands: 22 },
  {
    name: 'sends-interleaved',
    what: 'Sends, 100 people with 500 messages each, in turn',
    shape: { kind: 'interleaved', recipients: 100 },
    target: 1.05,
  },
]

const ROUGH: Scenario = {
  name: 'sends-rough',
  what: 'Sends, five in a row, two workers, answers after 20–120 ms, 2 % of them -1',
  shape: BURSTS,
  count: ROUGH_COUNT,
  target: 1,
  workers: 2,
  plan: { latencyMs: [20, 120], busyShare: 0.02 },
}

async function measure(world: World, size: Size, scenario: Scenario): Promise<Record<Side, Sent[]>> {
  const count = pick(size, scenario.count ?? COUNT, 500)
  const far = await world.far()
  const redis = { outbox: await world.redis(), plain: await world.redis() }
  return inTurns(size.turns, SIDES, async (side) => {
    const sent = await takeTurn(world, { ...scenario, side, redis: redis[side], far, count })
    size.progress(`${scenario.name} ${side} ${Math.round(sent.perSecond)}/s`)
    return sent
  })
}

function rateRow({ name, what, target }: Scenario, sent: Record<Side, Sent[]>): Row {
  const rate = ({ perSecond }: Sent): number => perSecond
  const row = { name, what, unit: 'messages/s', target: atLeast(target) }
  return compared(row, sent.outbox.map(rate), sent.plain.map(rate))
}

function commandRows({ name, commands: atMostOfThem }: Scenario, sent: Record<Side, Sent[]>): Row[] {
  if (atMostOfThem === undefined) return []
  const what = '… commands in Redis per message, those inside scripts included'
  const row = { name: `${name}/commands`, what, unit: 'commands', target: atMost(atMostOfThem) }
  const commands = (turn: Sent): number => turn.commands
  return [beside(row, sent.outbox.map(commands), sent.plain.map(commands))]
}

export const sends: readonly Measurement[] = SCENARIOS.map((scenario) => ({
  name: scenario.name,
  rows: [scenario.name, ...(scenario.commands === undefined ? [] : [`${scenario.name}/commands`])],
  async run(world, size) {
    const sent = await measure(world, size, scenario)
    return [rateRow(scenario, sent), ...commandRows(scenario, sent)]
  },
}))

const ORDER = `${ROUGH.name}/order`

export const sendsRough: Measurement = {
  name: ROUGH.name,
  rows: [ROUGH.name, ORDER],
  async run(world, size) {
    const sent = await measure(world, size, ROUGH)
    const disordered = ({ state }: Sent): number => state.disordered
    const [ours, theirs] = [sent.outbox.map(disordered), sent.plain.map(disordered)]
    const count = pick(size, ROUGH_COUNT, 500)
    const what = `… messages out of order, of ${count.toLocaleString('en')}`
    const row = { name: ORDER, what, unit: 'messages', target: atMost(0) }
    return [rateRow(ROUGH, sent), beside(row, ours, theirs)]
  },
}
