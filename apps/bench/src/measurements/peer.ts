/**
 * Beside a peer that keeps order as well: both keep one message of a burst at a time, so what is compared is what that costs. Twice,
 * because pg-boss has two ways: batches, which is its fastest, and a fetcher for each message, which is what a worker of the outbox or
 * of BullMQ does: a message is settled when it has been answered, and only as many as are being sent are at risk.
 */
import { versionOf } from '../machine.ts'
import { type Measurement, pick, type Size } from '../measurement.ts'
import { stretchOf } from '../meter.ts'
import { fillPeer, PEER_URL, type PeerOptions } from '../peer.ts'
import { CONCURRENCY } from '../plain.ts'
import type { Postgres } from '../postgres.ts'
import { atLeast, atMost, beside, compared, type Row } from '../row.ts'
import { inTurns } from '../stats.ts'
import { marksOf, takeTurn } from '../turn.ts'
import type { World } from '../world.ts'

const NAME = 'peer'
const COUNT = 10_000
const SIDES = ['outbox', 'batches', 'single'] as const
const shape = { kind: 'bursts', length: 5 } as const

/** Batches: the best of what was tried, see docs/benchmarks.md. */
const WAYS: Readonly<Record<'batches' | 'single', Pick<PeerOptions, 'fetchers' | 'batchSize'>>> = {
  batches: { fetchers: 2, batchSize: 250 },
  single: { fetchers: CONCURRENCY, batchSize: 1 },
}

interface Figures {
  readonly perSecond: number
  readonly disordered: number
}

async function measure(
  world: World,
  size: Size,
  postgres: Postgres,
): Promise<Record<(typeof SIDES)[number], Figures[]>> {
  const count = pick(size, COUNT, 500)
  const far = await world.far()
  const redis = await world.redis()
  const peer = async (way: keyof typeof WAYS): Promise<Figures> => {
    await fillPeer(postgres.url, { shape, count })
    await far.plan({ marksAt: marksOf(count) })
    const options = { far: far.url, ...WAYS[way] } satisfies PeerOptions
    const worker = world.role('peer-worker', options, { [PEER_URL]: postgres.url })
    const { marks, disordered } = await far.done()
    await worker.stop()
    return { perSecond: stretchOf(marks, 0, 1).perSecond, disordered }
  }
  const outbox = async (): Promise<Figures> => {
    const { perSecond, state } = await takeTurn(world, { side: 'outbox', redis, far, shape, count })
    return { perSecond, disordered: state.disordered }
  }
  return inTurns(size.turns, SIDES, async (side) => {
    const figures = await (side === 'outbox' ? outbox() : peer(side))
    size.progress(`${NAME} ${side} ${Math.round(figures.perSecond)}/s, ${figures.disordered} out of order`)
    return figures
  })
}

export const peer: Measurement = {
  name: NAME,
  rows: [NAME, `${NAME}/single`, `${NAME}/order`],
  isOptional: true,
  async run(world, size) {
    const postgres = await world.postgres()
    if ('missing' in postgres) {
      size.progress(`${NAME} left out: ${postgres.missing}`)
      return []
    }
    const figures = await measure(world, size, postgres)
    return rowsOf(figures, pick(size, COUNT, 500), `pg-boss ${versionOf('pg-boss')}, PostgreSQL ${postgres.version}`)
  },
}

function rowsOf(figures: Record<(typeof SIDES)[number], Figures[]>, count: number, note: string): Row[] {
  const each = (side: (typeof SIDES)[number], of: keyof Figures): number[] => figures[side].map((turn) => turn[of])
  const unit = 'messages/s'
  const what = 'Sends, five in a row to each person, beside pg-boss with strict FIFO per key, in batches'
  // A peer that loses order would not be one, whichever way it lost it.
  const theirs = each('batches', 'disordered').map((number, turn) => number + (each('single', 'disordered')[turn] ?? 0))
  return [
    compared(
      { name: NAME, what, unit, target: atLeast(3), note },
      each('outbox', 'perSecond'),
      each('batches', 'perSecond'),
    ),
    compared(
      { name: `${NAME}/single`, what: `… in which ${CONCURRENCY} fetchers take a message each`, unit },
      each('outbox', 'perSecond'),
      each('single', 'perSecond'),
    ),
    beside(
      {
        name: `${NAME}/order`,
        what: `… messages out of order, of ${count.toLocaleString('en')}`,
        unit: 'messages',
        target: atMost(0),
        ...(theirs.some((number) => number > 0) ? { note: 'pg-boss is set wrongly: its figures do not count' } : {}),
      },
      each('outbox', 'disordered'),
      theirs,
    ),
  ]
}
