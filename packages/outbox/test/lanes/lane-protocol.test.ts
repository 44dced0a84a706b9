// The rules of lanes, tried with sequences that nobody would think of: any step of any run beside any other, with locks
// lost and workers dead in between. `LANE_RUNS` sets how many sequences are tried; a failure prints its seed and the
// shortest sequence that still fails, and `LANE_SEED` repeats it.
import { REDIS_ERRORS } from '@wechat-outbox/sandbox'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Command } from '../support/lane-commands.ts'
import { LaneMachine } from '../support/lane-machine.ts'
import { createRefusingRedis, type RefusingRedis } from '../support/refusing-redis.ts'
import { createWorld, type World } from '../support/world.ts'

const RUNS = Number(process.env['LANE_RUNS'] ?? 30)
const SEED = process.env['LANE_SEED']
/** A sequence takes some 80 ms; one that fails is shortened by trying hundreds. */
const LIMIT_MS = 30_000 + RUNS * 500

let world: World
let refusing: RefusingRedis
let serial = 0
const appid = (): string => `wx${String(serial).padStart(16, '0')}`
beforeAll(async () => {
  world = await createWorld()
  refusing = await createRefusingRedis(world.url, appid)
})
afterAll(async () => {
  await refusing.close()
  await world.close()
})

const number = fc.nat(11)
const answer = fc.constantFrom('take', 'take', 'take', 'retry', 'die', 'token', 'wait', 'back')
const worker = fc.nat(1)
const person = fc.nat(2).map((one) => Math.max(0, one - 1))
const enqueue = fc.record({
  do: fc.constant('enqueue'),
  person,
  scheduled: fc.nat(7).map((one) => one === 7),
  onClosed: fc.constantFrom(undefined, 'hold'),
  collapseKey: fc.constantFrom(undefined, undefined, undefined, 'order-7'),
})
const fetch = fc.record({ do: fc.constant('fetch'), worker, answer, inOneStep: fc.boolean() })
const step = fc.record({ do: fc.constant('step'), nth: number })
const cancel = fc.record({ do: fc.constant('cancel'), nth: number })
const due = fc.record({ do: fc.constant('due'), nth: number })
const act = fc.record({
  do: fc.constant('act'),
  person,
  action: fc.constantFrom('message', 'enter'),
  how: fc.constantFrom('reported', 'reported', 'reported', 'unreported', 'early', 'repeated'),
})
const close = fc.record({ do: fc.constant('close'), person, by: fc.constantFrom('time', 'wechat') })
const lapse = fc.record({ do: fc.constant('lapse'), nth: number })

const quiet = [
  { arbitrary: enqueue, weight: 5 },
  { arbitrary: fetch, weight: 8 },
  { arbitrary: step, weight: 20 },
  { arbitrary: cancel, weight: 1 },
  { arbitrary: due, weight: 1 },
  { arbitrary: act, weight: 2 },
  { arbitrary: close, weight: 1 },
]
const error = fc
  .constantFrom('READONLY', 'NOREPLICAS', 'OOM', 'BUSY', 'MISCONF', 'NOSCRIPT')
  .map((name) => REDIS_ERRORS[name])
const refusals = [
  { arbitrary: fc.record({ do: fc.constant('refuse'), nth: number, error }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('take'), nth: number }), weight: 3 },
]
const refused = [...quiet, ...refusals]
const lapsing = [...refused, { arbitrary: lapse, weight: 2 }]
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

async function holds(weighted: typeof quiet | typeof crashing): Promise<void> {
  const commands = fc.array(fc.oneof(...(weighted as typeof quiet)), { maxLength: 90, size: 'max' })
  const property = fc.asyncProperty(start, commands, ifUnsure, async (begin, rest, unsure) => {
    serial += 1
    const machine = new LaneMachine(world, refusing, { appid: appid(), ifUnsure: unsure })
    for (const command of [...begin, ...rest] as Command[]) {
      await machine.apply(command)
      await machine.check()
    }
    await machine.finish()
  })
  await fc.assert(property, {
    numRuns: RUNS,
    interruptAfterTimeLimit: LIMIT_MS - 5000,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  })
}

describe('whatever comes between two steps, messages to one person arrive once and in order', () => {
  it('when nothing fails, and nobody waits for the parked day', () => holds(quiet), LIMIT_MS)

  it('when Redis refuses to record what came of a run, for as long as it likes', () => holds(refused), LIMIT_MS)

  it('when locks are lost as well', () => holds(lapsing), LIMIT_MS)

  it('when workers die with what they had not recorded', () => holds(crashing), LIMIT_MS)
})
