import { expect, it } from 'vitest'
import { chaosSeed, faultCounts, runChaos } from './support/run-chaos.ts'

const FAULTS = faultCounts({
  'worker-kill': 12,
  'worker-stop': 3,
  'producer-kill': 5,
  'redis-kill': 2,
  'wechat-reset': 4,
  'wechat-stall': 3,
  'wechat-cut': 4,
  'redis-reset': 4,
  'redis-stall': 3,
  'redis-cut': 4,
  'producers-reset': 3,
  'producers-stall': 2,
  'producers-cut': 4,
  'token-invalidation': 15,
  'refuse-noreplicas': 4,
  'refuse-oom': 4,
  'refuse-busy': 4,
  'refuse-readonly': 5,
  'refuse-misconf': 5,
  'errors-at-random': 4,
  'script-flush': 4,
})

it('keeps twenty thousand messages through a hundred faults', { timeout: 600_000 }, async () => {
  const result = await runChaos({
    seed: chaosSeed(),
    size: { messages: 20_000, hot: 2000, producers: 3, windows: true },
    faults: FAULTS,
    concurrency: 16,
    producingMsMax: 360_000,
    settlingMsMax: 150_000,
  })
  console.log(result.report)
  expect(result.problems).toBe('')
  expect(result.fired).toEqual(FAULTS)
})
