// The rules of lanes, tried with sequences that nobody would think of: any step of any run beside any other, with locks
// lost and workers dead in between. `LANE_RUNS` sets how many sequences are tried; a failure prints its seed and the
// shortest sequence that still fails, and `LANE_SEED` repeats it.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Command } from '../support/lane-commands.ts'
import { LaneMachine } from '../support/lane-machine.ts'
import { createWorld, type World } from '../support/world.ts'

const RUNS = Number(process.env['LANE_RUNS'] ?? 30)
const SEED = process.env['LANE_SEED']
/** A sequence takes some 80 ms; one that fails is shortened by trying hundreds. */
const LIMIT_MS = 30_000 + RUNS * 500

let world: World
let serial = 0
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const number = fc.nat(11)
const answer = fc.constantFrom('take', 'take', 'take', 'retry', 'die', 'token', 'wait')
const worker = fc.nat(1)
const enqueue = fc.record({
  do: fc.constant('enqueue'),
  person: fc.nat(2).map((person) => Math.max(0, person - 1)),
  scheduled: fc.nat(7).map((one) => one === 7),
})
const fetch = fc.record({ do: fc.constant('fetch'), worker, answer, inOneStep: fc.boolean() })
const step = fc.record({ do: fc.constant('step'), nth: number })
const cancel = fc.record({ do: fc.constant('cancel'), nth: number })
const due = fc.record({ do: fc.constant('due'), nth: number })
const lapse = fc.record({ do: fc.constant('lapse'), nth: number })

const quiet = [
  { arbitrary: enqueue, weight: 5 },
  { arbitrary: fetch, weight: 8 },
  { arbitrary: step, weight: 20 },
  { arbitrary: cancel, weight: 1 },
  { arbitrary: due, weight: 1 },
]
const lapsing = [...quiet, { arbitrary: lapse, weight: 2 }]
const crashing = [
  ...lapsing,
  { arbitrary: fc.record({ do: fc.constant('crash'), worker }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('recover') }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('sweep') }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('minute'), nth: number }), weight: 1 },
]

/** Messages are there from the start, so that the first steps of a sequence have something to meet. */
const start = fc.array(enqueue, { minLength: 2, maxLength: 5 })
const ifUnsure = fc.constantFrom('send', 'dead')

type Example = [Command[], Command[], 'send' | 'dead']
const first = { do: 'enqueue', person: 0, scheduled: false } as const
const take = { do: 'fetch', worker: 0, answer: 'take', inOneStep: false } as const
const next = (nth: number) => ({ do: 'step', nth }) as const
/** The second is told to park, the first is delivered meanwhile, and the worker dies before the second has looked. */
const diesBeforeLook: Example = [
  [first, first],
  [take, next(0), take, next(1), next(0), next(0), next(0), next(0), { do: 'crash', worker: 0 }],
  'send',
]

async function holds(weighted: typeof quiet | typeof crashing, examples: Example[] = []): Promise<void> {
  const commands = fc.array(fc.oneof(...(weighted as typeof quiet)), { maxLength: 90, size: 'max' })
  const property = fc.asyncProperty(start, commands, ifUnsure, async (begin, rest, unsure) => {
    serial += 1
    const machine = new LaneMachine(world, `wx${String(serial).padStart(16, '0')}`, unsure)
    try {
      for (const command of [...begin, ...rest] as Command[]) {
        await machine.apply(command)
        await machine.check()
      }
      await machine.finish()
    } finally {
      await machine.close()
    }
  })
  await fc.assert(property, {
    numRuns: RUNS,
    examples,
    interruptAfterTimeLimit: LIMIT_MS - 5000,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  })
}

describe('whatever comes between two steps, messages to one person arrive once and in order', () => {
  it('when nothing fails, and nobody waits for the parked minute', () => holds(quiet), LIMIT_MS)

  it('when locks are lost, and nobody waits for the parked minute', () => holds(lapsing), LIMIT_MS)

  it(
    'when workers die, and the sweep finds what died between parking and its look',
    () => holds(crashing, [diesBeforeLook]),
    LIMIT_MS,
  )
})
