import { expect, it } from 'vitest'
import { chaosSeed, faultCounts, runChaos } from './support/run-chaos.ts'

const FAULTS = faultCounts({
  'worker-kill': 3,
  'worker-stop': 1,
  'producer-kill': 1,
  'redis-kill': 1,
  'wechat-reset': 1,
  'wechat-stall': 1,
  'wechat-cut': 1,
  'redis-reset': 1,
  'redis-stall': 1,
  'redis-cut': 1,
  'producers-reset': 1,
  'producers-stall': 1,
  'producers-cut': 1,
  'token-invalidation': 3,
  'refuse-noreplicas': 1,
  'refuse-oom': 1,
  'refuse-busy': 1,
  'refuse-readonly': 1,
  'refuse-misconf': 1,
  'errors-at-random': 1,
  'script-flush': 1,
})

it('loses nothing, sticks nowhere and keeps its order while everything around it breaks', {
  timeout: 180_000,
}, async () => {
  const result = await runChaos({
    seed: chaosSeed(),
    size: { messages: 1500, hot: 120, producers: 2, windows: true },
    faults: FAULTS,
    concurrency: 16,
    producingMsMax: 60_000,
    // Longer than the parked minute, by which what a crash left waiting is woken.
    settlingMsMax: 90_000,
  })
  console.log(result.report)
  expect(result.problems).toBe('')
  expect(result.fired).toEqual(FAULTS)
})
