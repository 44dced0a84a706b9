import { describe, expect, it } from 'vitest'
import { FAULT_KINDS, isRefusal, planFaults } from './support/fault-plan.ts'
import { openCalls } from './support/faults.ts'
import { countFired } from './support/report.ts'
import { faultCounts } from './support/run-chaos.ts'
import type { Supervised } from './support/supervise.ts'

const FIVE_EACH = faultCounts(Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 5])))

describe('the plan of faults', () => {
  it('has each fault as often as was asked for, one after the other', () => {
    const faults = planFaults(7, FIVE_EACH, 3000)
    expect(countFired({ fired: faults.map(({ kind }) => ({ kind, from: 0, until: 0, open: 0 })) })).toEqual(FIVE_EACH)
    const times = faults.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  it('is the same for the same seed', () => {
    expect(planFaults(7, FIVE_EACH, 3000)).toEqual(planFaults(7, FIVE_EACH, 3000))
    expect(planFaults(8, FIVE_EACH, 3000)).not.toEqual(planFaults(7, FIVE_EACH, 3000))
  })

  it.each([
    [3000, 900],
    [10_000, 3000],
    [60_000, 3000],
  ])('lets no refusal outlast a lock, and none follow at once: with %i ms, at most %i ms', (leaseMs, lastsMsMax) => {
    const refusals = planFaults(7, FIVE_EACH, leaseMs).filter(({ kind }) => isRefusal(kind))
    expect(refusals).toHaveLength(35)
    expect(Math.max(...refusals.map(({ lastsMs }) => lastsMs))).toBeLessThanOrEqual(lastsMsMax)
    expect(Math.max(...refusals.map(({ lastsMs }) => lastsMs))).toBeGreaterThan(lastsMsMax / 2)
    for (const { restMs } of refusals) expect(restMs).toBe(0.3 * leaseMs)
  })

  it('takes only errors for refusals', () => {
    expect(FAULT_KINDS.filter(isRefusal)).toEqual([
      'refuse-noreplicas',
      'refuse-oom',
      'refuse-busy',
      'refuse-readonly',
      'refuse-misconf',
      'errors-at-random',
      'script-flush',
    ])
  })

  it('leaves calls open where a worker, its Redis or its WeChat goes, and none where Redis refuses', () => {
    const workers = [1, 2].map(() => ({}) as Supervised)
    const world = { concurrency: 16, workers, sendTimeoutMs: 1000 }
    const open = FAULT_KINDS.filter((kind) => {
      const [fault] = planFaults(7, faultCounts({ [kind]: 1 }), 3000)
      return fault !== undefined && openCalls(world, fault) > 0
    })
    expect(open).toEqual([
      'worker-kill',
      'worker-stop',
      'redis-kill',
      'wechat-reset',
      'wechat-stall',
      'wechat-cut',
      'redis-reset',
      'redis-stall',
      'redis-cut',
    ])
  })
})
