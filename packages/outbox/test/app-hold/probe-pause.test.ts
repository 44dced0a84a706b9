/** When a held app is probed: one rule, whatever holds it. */
import type { AppFault } from '@wechat-outbox/messages'
import { describe, expect, it } from 'vitest'
import { proveApp, readHold, reportFault, resumeApp, takeProbeTurn } from '../../src/app-hold/hold.ts'
import { appFault } from '../support/app-fault.ts'
import { APP, keys, ownWorld, reasonOf } from '../support/world.ts'

const world = ownWorld()

const report = (given: Partial<AppFault>) =>
  reportFault(world.store, APP, { token: 'a run', fault: appFault({ holdMs: 15_000, ...given }) })
/** As if the time until the next probe were over. */
const due = () => world.redis.hset(keys.hold, 'until', '1')

describe('a probe', () => {
  it('comes after a pause that doubles up to its most, whatever holds the app and however a probe fails', async () => {
    const pause = async (): Promise<number> => {
      const { until = 0 } = (await readHold(world.store, APP))?.fault ?? {}
      const [seconds, micros] = await world.redis.time()
      const pauseMs = Number(await world.redis.hget(keys.hold, 'pause'))
      // The next probe is due then, and not when the app was held.
      expect(Math.abs(until - Number(seconds) * 1000 - Number(micros) / 1000 - pauseMs)).toBeLessThan(5000)
      return pauseMs
    }
    const failing: readonly (() => Promise<unknown>)[] = [
      () => report(quota),
      () => report({ ...quota, cause: 'send', reason: reasonOf({ name: 'another' }) }),
      () => proveApp(world.store, APP, { token: 'a run', proof: 'reached' }),
    ]
    const quota = { hold: 'throttled', cause: 'quota', holdMs: 15_000 } as const
    await report(quota)
    const pauses = [await pause()]
    for (const fail of failing) {
      await due()
      await takeProbeTurn(world.store, APP)
      await world.redis.hset(keys.hold, 'prober', 'a run')
      await fail()
      pauses.push(await pause())
    }
    expect(pauses).toEqual([15_000, 30_000, 60_000, 60_000])
    await resumeApp(world.store, APP)
    await report({ cause: 'token', holdMs: 15_000 })
    for (const next of [30_000, 60_000, 60_000]) {
      await due()
      expect(await takeProbeTurn(world.store, APP)).toEqual({ kind: 'ask' })
      expect(await pause()).toBe(next)
    }
  })

  it('comes when Retry-After says, the second time as well', async () => {
    const asked = { hold: 'throttled', cause: 'asked', reason: reasonOf({ name: 'refused' }) } as const
    await report({ ...asked, holdMs: 7000 })
    await due()
    await takeProbeTurn(world.store, APP)
    await report({ ...asked, holdMs: 2000 })
    expect(await world.redis.hget(keys.hold, 'pause')).toBe('2000')
  })
})
