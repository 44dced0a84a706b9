import { expect, it } from 'vitest'
import { chaosSeed, faultCounts, runChaos } from './support/run-chaos.ts'

const FAULTS = faultCounts({
  'refuse-noreplicas': 3,
  'refuse-oom': 3,
  'refuse-busy': 3,
  'refuse-readonly': 3,
  'refuse-misconf': 3,
  'errors-at-random': 3,
  'script-flush': 3,
})

/** Nothing dies here and no connection breaks, so nothing excuses a double, a death or a message that waits for nobody. */
it('sends nothing twice and lets nothing die because Redis refuses', { timeout: 480_000 }, async () => {
  const result = await runChaos({
    seed: chaosSeed(),
    size: { messages: 5000, hot: 400, producers: 2 },
    faults: FAULTS,
    // Long enough that no refusal of 3 s outlasts a lock, which another worker might take over then.
    leaseMs: 10_000,
    concurrency: 16,
    producingMsMax: 300_000,
    settlingMsMax: 90_000,
  })
  console.log(result.report)
  expect(result.problems).toBe('')
  expect(result.fired).toEqual(FAULTS)
  expect(result.figures).toMatchObject({ doubles: 0, dead: 0, unsureCalls: 0 })
})
