/** Whether a message costs more when more of them wait: in the queue as a whole, and in the lane of one person. */
import type { LocalRedis } from '@wechat-outbox/sandbox'
import type { Far } from '../far-side/client.ts'
import { type Measurement, pick, type Size } from '../measurement.ts'
import type { Shape } from '../messages.ts'
import { stretchOf } from '../meter.ts'
import { atLeast, compared } from '../row.ts'
import { fill, startWorker } from '../sides.ts'
import { inTurns } from '../stats.ts'
import type { World } from '../world.ts'

/** A queue that is kept at its length by a producer, whatever the worker takes out of it. */
interface Backlog {
  readonly redis: LocalRedis
  readonly shape: Shape
  readonly waiting: number
}

async function rateAt(
  world: World,
  far: Far,
  at: Backlog & { from: number; count: number; isFed: boolean },
): Promise<number> {
  const { redis, shape, waiting, from, count, isFed } = at
  await far.plan({ marksAt: [Math.ceil(count / 4), count + Math.ceil(count / 4)] })
  // A quick run lives off what is there.
  const feed = isFed ? [world.role('feed', { url: redis.url, shape, waiting, from })] : []
  const worker = startWorker(world, 'outbox', { redis, far })
  const { marks } = await far.done()
  await Promise.all([worker, ...feed].map((each) => each.stop()))
  return stretchOf(marks).perSecond
}

interface Growth {
  readonly name: string
  readonly what: (waiting: string) => string
  /** The shortest first. */
  readonly steps: readonly { readonly label: string; readonly waiting: number; readonly shape: Shape }[]
}

const GROWTHS: readonly Growth[] = [
  {
    name: 'growth-queue',
    what: (label) => `Sends while ${label} wait, fed as fast as they go, beside 1,000`,
    steps: [1000, 100_000, 1_000_000].map((waiting) => ({
      label: waiting.toLocaleString('en'),
      waiting,
      shape: { kind: 'distinct' },
    })),
  },
  {
    name: 'growth-lane',
    what: (label) => `Sends with ${label} messages in the lane of each of 100 people, beside a message to everybody`,
    steps: [
      { label: '1', waiting: 10_000, shape: { kind: 'distinct' } },
      { label: '100', waiting: 10_000, shape: { kind: 'interleaved', recipients: 100 } },
      { label: '10,000', waiting: 1_000_000, shape: { kind: 'interleaved', recipients: 100 } },
    ],
  },
]

async function measure(world: World, size: Size, { name, steps }: Growth): Promise<Record<string, number[]>> {
  const far = await world.far()
  const count = pick(size, 15_000, 200)
  const backlogs = new Map<string, Backlog>()
  const next = new Map<string, number>()
  for (const { label, shape, waiting } of steps) {
    const backlog = {
      redis: await world.redis(),
      shape,
      waiting: size.quick ? 300 + Math.ceil(waiting / 1000) : waiting,
    }
    await fill('outbox', { url: backlog.redis.url, shape, count: backlog.waiting })
    backlogs.set(label, backlog)
    next.set(label, backlog.waiting)
  }
  const labels = steps.map(({ label }) => label)
  return inTurns(size.turns, labels, async (label) => {
    const backlog = backlogs.get(label)
    if (backlog === undefined) throw new Error(`no backlog ${label}`)
    const from = next.get(label) ?? 0
    const rate = await rateAt(world, far, { ...backlog, from, count, isFed: !size.quick })
    // Far beyond what the producer has used.
    next.set(label, from + 1_000_000)
    size.progress(`${name} ${label} ${Math.round(rate)}/s`)
    return rate
  })
}

export const growth: readonly Measurement[] = GROWTHS.map((each) => {
  const [first, ...longer] = each.steps.map(({ label }) => label)
  return {
    name: each.name,
    rows: longer.map((label) => `${each.name}/${label}`),
    async run(world, size) {
      const rates = await measure(world, size, each)
      return longer.map((label, index) => {
        const target = index === longer.length - 1 ? { target: atLeast(0.9) } : {}
        const row = { name: `${each.name}/${label}`, what: each.what(label), unit: 'messages/s', ...target }
        return compared(row, rates[label] ?? [], rates[first ?? ''] ?? [])
      })
    },
  }
})
