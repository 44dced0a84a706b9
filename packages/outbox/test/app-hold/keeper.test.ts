/** An app that is held while other parts of the store are at work on it: it sleeps, keeps to a rate, or changes hands. */
import type { AppFault, AppSignal } from '@wechat-outbox/messages'
import type { Redis } from 'ioredis'
import { describe, expect, it, vi } from 'vitest'
import { readHold, reportFault, resumeApp, takeProbeTurn } from '../../src/app-hold/hold.ts'
import { createHoldKeeper, type HoldKeeper } from '../../src/app-hold/keeper.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { appFault } from '../support/app-fault.ts'
import { watchRate } from '../support/rated.ts'
import { APP, DELIVERED, keys, memberOf, ownWorld, retry, text, touserOf } from '../support/world.ts'

const world = ownWorld()

const fault = appFault()
const hold = (given: Partial<AppFault> = {}) =>
  reportFault(world.store, APP, { token: 'a run', fault: appFault(given) })
async function probe(): Promise<void> {
  await world.redis.hset(keys.hold, 'until', '1')
  await takeProbeTurn(world.store, APP)
}

/** As long as no queue of the app has a connection of its own. */
async function asleep(): Promise<void> {
  const own = async (): Promise<string[]> =>
    ((await (world.redis as Redis).client('LIST')) as string).split('\n').filter((line) => line.includes(keys.prefix))
  await vi.waitFor(async () => expect(await own()).toEqual([]), 30_000)
}

describe('an app that is held and asleep', () => {
  it.each([
    ['a probe that another process begins', probe],
    ['an operator’s word in another process', () => resumeApp(world.store, APP)],
  ])(
    'goes on with all that waits, is tried again or comes due, after %s',
    async (_what, end) => {
      const sent: string[] = []
      let calls = 0
      await world.consumer(async (run: Run): Promise<Settlement> => {
        const turn = await run.admit(memberOf(run))
        if (turn.kind !== 'go') return turn
        calls += 1
        if (calls === 1) return retry(2000)
        await run.signalApp({ kind: 'delivered' })
        sent.push(touserOf(run))
        return DELIVERED
      })
      const outbox = world.outbox()
      await outbox.send(text('o-again'))
      await vi.waitFor(async () => expect(await world.send.getDelayedCount()).toBe(1), 10_000)
      await hold()
      await outbox.sendMany([text('o-again'), text('o-waits'), { ...text('o-due'), sendAt: Date.now() + 2000 }])
      await asleep()
      expect({ calls, sent }).toEqual({ calls: 1, sent: [] })
      await end()
      await vi.waitFor(() => expect(sent.toSorted()).toEqual(['o-again', 'o-again', 'o-due', 'o-waits']), 15_000)
      expect(await readHold(world.store, APP)).toBeNull()
    },
    60_000,
  )
})

describe('an app that has a rate', () => {
  it('is probed by one call, and keeps to its rate when the hold is over', async () => {
    const watch = watchRate(world)
    let calls = 0
    let healthy = false
    const deliver = async (run: Run): Promise<Settlement> => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      calls += 1
      await watch.note(run.id)
      await run.signalApp(healthy ? { kind: 'delivered' } : fault)
      return healthy ? DELIVERED : { kind: 'snooze', delayMs: 1, counts: false, attempts: [] }
    }
    await hold()
    await world.outbox().sendMany(Array.from({ length: 60 }, (_, n) => text(`o-${n % 30}`)))
    const rated = { concurrency: 16, maxPerSecond: 20 }
    const two = [await world.consumer(deliver, rated), await world.consumer(deliver, rated)]
    for (let probes = 1; probes <= 3; probes += 1) {
      await probe()
      await vi.waitFor(() => expect(two.flatMap(({ resumed }) => resumed)).toHaveLength(probes), 10_000)
      expect(calls).toBe(probes)
    }
    healthy = true
    await probe()
    await vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(60), 20_000)
    expect(calls).toBe(63)
    const { inOneSecond, lateS } = watch.end()
    expect(inOneSecond).toBeLessThanOrEqual(22 + Math.ceil(20 * lateS))
  })
})

/** One of this process, beside which no worker runs. */
function keeperOf(probeToken: () => Promise<boolean>): HoldKeeper {
  const nothing = () => undefined
  const report = { suspended: nothing, resumed: nothing, stillHeld: nothing, problem: nothing }
  return createHoldKeeper({ appid: APP, store: world.store, report, probeToken })
}

describe('a keeper whose app has been removed or changed', () => {
  it('probes no more: another may have other credentials', async () => {
    let asked = 0
    const keeper = keeperOf(async () => {
      asked += 1
      return false
    })
    await hold({ cause: 'token' })
    await world.redis.hset(keys.hold, 'until', '1')
    keeper.stop()
    await keeper.look()
    expect(asked).toBe(0)
    expect((await takeProbeTurn(world.store, APP)).kind).toBe('ask')
  })
})

describe('answers that come at once', () => {
  const inARow = { group: 'unexplained', max: 5 } as const
  const unexplained = appFault({ inARow })
  const reached = { kind: 'reached' } as const
  const signal = (keeper: HoldKeeper, said: AppSignal) => keeper.signal({ token: 'a run', probes: false, signal: said })
  const hdels = async (): Promise<number> =>
    Number(/cmdstat_hdel:calls=(\d+)/u.exec(await world.redis.info('commandstats'))?.[1] ?? 0)

  it('end the row of unexplained ones with one command', async () => {
    const keeper = keeperOf(async () => false)
    await hold({ inARow })
    const before = await hdels()
    await Promise.all(Array.from({ length: 100 }, () => signal(keeper, reached)))
    await vi.waitFor(async () => expect(await world.redis.hget(keys.faultsInARow, 'unexplained')).toBeNull(), 10_000)
    expect((await hdels()) - before).toBe(1)
    await hold({ inARow })
    await signal(keeper, reached)
    await vi.waitFor(async () => expect(await hdels()).toBe(before + 2), 10_000)
  })

  it('end a row that a fault between two of them has begun', async () => {
    const keeper = keeperOf(async () => false)
    await Promise.all([reached, unexplained, reached].map((said) => signal(keeper, said)))
    await world.redis.ping()
    const kinds: string[] = []
    for (let n = 0; n < 5; n += 1) kinds.push((await hold({ inARow })).kind)
    expect(kinds).toEqual(['active', 'active', 'active', 'active', 'new'])
  })
})
