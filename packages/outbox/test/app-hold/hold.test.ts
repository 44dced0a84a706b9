import type { AppFault } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import {
  liftTokenFault,
  pauseApp,
  proveApp,
  readHold,
  readHolds,
  reportFault,
  resumeApp,
  takeProbeTurn,
} from '../../src/app-hold/hold.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { appFault } from '../support/app-fault.ts'
import { APP, ASKING, attemptMade, delivering, keys, memberOf, ownWorld, reasonOf, text } from '../support/world.ts'

const world = ownWorld()

const report = (given: Partial<AppFault> = {}, token = 'a run') =>
  reportFault(world.store, APP, { token, fault: appFault(given) })
const isPaused = () => world.send.isPaused()
const waiting = async (): Promise<number> => (await world.send.getWaitingCount()) + (await world.send.getDelayedCount())
/** As if the time until the next probe were over. */
const due = () => world.redis.hset(keys.hold, 'until', '1')
const untilDelivered = (count: number) =>
  vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(count), { timeout: 15_000, interval: 20 })

/** Answers every call as told, and counts those that are open at once. */
function calling(answer: (run: Run) => 'ok' | 'fault' | 'busy', given: Partial<AppFault> = {}) {
  const seen = { calls: [] as string[], open: 0, openMax: 0 }
  const deliver = async (run: Run): Promise<Settlement> => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    seen.calls.push(run.id)
    seen.open += 1
    seen.openMax = Math.max(seen.openMax, seen.open)
    await new Promise((resolve) => setImmediate(resolve))
    const said = answer(run)
    const signal = { ok: { kind: 'delivered' }, busy: { kind: 'reached' }, fault: appFault(given) } as const
    await run.signalApp(signal[said])
    seen.open -= 1
    if (said === 'ok') return { kind: 'delivered', attempts: [attemptMade()] }
    const attempts = [attemptMade({ outcome: 'suspended', errcode: 40164 })]
    return { kind: 'snooze', delayMs: 1, counts: said === 'busy', attempts }
  }
  return { seen, deliver }
}

describe('a fault of the app', () => {
  it('pauses the queue for every tool, and says why, since when and until when', async () => {
    expect(await readHold(world.store, APP)).toBeNull()
    expect((await report()).kind).toBe('new')
    expect(await isPaused()).toBe(true)
    const [hold] = await readHolds(world.store, [APP, 'wxffffffffffffffff'])
    expect(hold).toMatchObject({ appid: APP, pausedElsewhere: false, fault: { kind: 'suspended', cause: 'send' } })
    expect(hold?.fault?.reason).toMatchObject({ errcode: 40164, name: 'ip-not-allowed' })
    expect((hold?.fault?.until ?? 0) - (hold?.fault?.since ?? 0)).toBe(60_000)
  })

  it('needs as many in a row as it says, and a delivery ends the row', async () => {
    const inARow = { group: 'unexplained', max: 3 } as const
    expect([await report({ inARow }), await report({ inARow })]).toMatchObject([{ kind: 'active' }, { kind: 'active' }])
    await world.consumer(delivering([]))
    await world.outbox().send(text('o-between'))
    await untilDelivered(1)
    expect([await report({ inARow }), await report({ inARow })]).toMatchObject([{ kind: 'active' }, { kind: 'active' }])
    expect((await report({ inARow: { group: 'token', max: 3 } })).kind).toBe('active')
    expect((await report({ inARow })).kind).toBe('new')
    expect((await report({ inARow })).kind).toBe('held')
  })

  it('is not moved by calls that come back late with the same, and gives way to one that holds longer', async () => {
    await report()
    const before = await readHold(world.store, APP)
    expect((await report()).kind).toBe('held')
    expect(await readHold(world.store, APP)).toEqual(before)
    expect((await report({ hold: 'throttled', cause: 'quota', holdMs: 10 })).kind).toBe('held')
    const quota = { hold: 'throttled', cause: 'quota', reason: reasonOf({ name: 'daily' }), holdMs: 7_200_000 } as const
    expect((await report(quota)).kind).toBe('new')
    expect((await readHold(world.store, APP))?.fault).toMatchObject({ kind: 'throttled', reason: { name: 'daily' } })
  })
})

describe('a held app', () => {
  it('has nothing fetched, and steps runs back that were fetched before', async () => {
    const { seen, deliver } = calling(() => 'ok')
    const entered = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    await world.consumer(async (run) => {
      entered.resolve()
      await open.promise
      return deliver(run)
    }, ASKING)
    const { id } = await world.outbox().send(text('o-early'))
    await entered.promise
    await report()
    open.resolve()
    await vi.waitFor(async () => expect(await world.send.getActiveCount()).toBe(0), 10_000)
    await world.outbox().send(text('o-late'))
    expect(seen.calls).toEqual([])
    expect(await waiting()).toBe(2)
    expect(await world.outbox().status(id)).toMatchObject({ status: 'queued', attempts: [] })
    expect(await world.redis.hget(keys.sendJob(id), 'atm')).toBeNull()
    expect(await resumeApp(world.store, APP)).toBe(true)
    await untilDelivered(2)
  })

  it('is paused again when other hands resume the queue', async () => {
    const { seen, deliver } = calling(() => 'ok')
    await report()
    await world.consumer(deliver)
    await world.outbox().send(text('o-tricked'))
    await world.send.resume()
    await vi.waitFor(async () => expect(await isPaused()).toBe(true), 10_000)
    expect(seen.calls).toEqual([])
  })
})

describe('a probe', () => {
  it('is one call, whatever waits and however many may fetch, and a failed one costs its message nothing', async () => {
    const { seen, deliver } = calling(() => 'fault')
    await report()
    await world.outbox().sendMany(Array.from({ length: 500 }, (_, n) => text(`o-${n % 250}`)))
    const two = [await world.consumer(deliver, { concurrency: 64 }), await world.consumer(deliver, { concurrency: 64 })]
    for (let probes = 1; probes <= 3; probes += 1) {
      await due()
      await takeProbeTurn(world.store, APP)
      await vi.waitFor(() => expect(two.flatMap(({ resumed }) => resumed)).toHaveLength(probes), 10_000)
      expect(await isPaused()).toBe(true)
      expect(seen.calls).toHaveLength(probes)
    }
    const id = seen.calls[0] ?? ''
    expect(await world.redis.hget(keys.sendJob(id), 'atm')).toBeNull()
    expect(await waiting()).toBe(500)
    expect(await world.send.getGlobalConcurrency()).toBeNull()
  })

  it('that delivers opens the app, with the limit that somebody had set', async () => {
    let healthy = false
    const { seen, deliver } = calling(() => (healthy ? 'ok' : 'fault'))
    await world.send.setGlobalConcurrency(7)
    const { suspended, resumed } = await world.consumer(deliver, { concurrency: 16 })
    await world.outbox().sendMany(Array.from({ length: 40 }, (_, n) => text(`o-${n}`)))
    await vi.waitFor(() => expect(suspended).toHaveLength(1), 10_000)
    await vi.waitFor(async () => expect(await world.send.getActiveCount()).toBe(0), 10_000)
    healthy = true
    seen.openMax = 0
    await due()
    await takeProbeTurn(world.store, APP)
    await untilDelivered(40)
    expect(resumed).toEqual(['resumed'])
    expect(seen.openMax).toBeLessThanOrEqual(7)
    expect(await world.send.getGlobalConcurrency()).toBe(7)
    expect(await readHold(world.store, APP)).toBeNull()
    expect(await world.redis.exists(keys.hold, keys.faultsInARow)).toBe(0)
  })

  it('that proves nothing closes the app again; for the road any answer is proof, and a token whatever comes of it', async () => {
    const { seen, deliver } = calling(() => 'busy')
    await world.consumer(deliver, { concurrency: 1 })
    await report()
    await world.outbox().send(text('o-busy'))
    await due()
    await takeProbeTurn(world.store, APP)
    await vi.waitFor(() => expect(seen.calls).toHaveLength(1), 10_000)
    await vi.waitFor(async () => expect(await isPaused()).toBe(true), 10_000)
    await resumeApp(world.store, APP)
    await vi.waitFor(() => expect(seen.calls.length).toBeGreaterThan(1), 10_000)
    await report({ cause: 'road', reason: reasonOf({ name: 'unreachable' }) })
    await due()
    await takeProbeTurn(world.store, APP)
    await vi.waitFor(async () => expect(await readHold(world.store, APP)).toBeNull(), 10_000)
    await report({ cause: 'token' })
    // Its call may have been open when the app was held.
    await vi.waitFor(async () => expect(await waiting()).toBe(1), 10_000)
    expect(await liftTokenFault(world.store, APP)).toBe('probing')
    await vi.waitFor(async () => expect(await readHold(world.store, APP)).toBeNull(), 10_000)
  })

  it('is begun by one of many that ask, and ends a probed app only for the run that is it', async () => {
    await report()
    expect(await takeProbeTurn(world.store, APP)).toMatchObject({ kind: 'wait' })
    await due()
    const turns = await Promise.all(Array.from({ length: 20 }, () => takeProbeTurn(world.store, APP)))
    expect(turns.map(({ kind }) => kind).toSorted()).toEqual([...Array.from({ length: 19 }, () => 'none'), 'probing'])
    expect(await proveApp(world.store, APP, { token: 'another run', proof: 'delivered' })).toBe('none')
    expect((await readHold(world.store, APP))?.fault?.probing).toBe(true)
  })

  it('falls to the next message when its own was not sent after all', async () => {
    const { seen, deliver } = calling(() => 'ok')
    await report()
    await due()
    await takeProbeTurn(world.store, APP)
    await world.consumer(async (run) => {
      if (memberOf(run).touser !== 'o-expired') return deliver(run)
      const turn = await run.admit(memberOf(run))
      return turn.kind === 'go' ? { kind: 'dead', reason: reasonOf(), attempts: [] } : turn
    })
    await world.outbox().sendMany([text('o-expired'), text('o-next')])
    await untilDelivered(1)
    expect(seen.calls).toHaveLength(1)
    expect(await readHold(world.store, APP)).toBeNull()
  })

  it('asks the token endpoint where there was no token, and opens the app when there is one', async () => {
    const answers = [false, false, true]
    let asked = 0
    let token = false
    const { seen, deliver } = calling(() => 'ok')
    const { resumed } = await world.consumer(
      async (run) => {
        if (token) return deliver(run)
        await run.signalApp(appFault({ cause: 'token', holdMs: 100 }))
        return { kind: 'held' }
      },
      {
        probeToken: async () => {
          token = answers[asked] ?? true
          asked += 1
          return token
        },
      },
    )
    await world.outbox().send(text('o-token'))
    await untilDelivered(1)
    expect(asked).toBe(3)
    expect(resumed).toEqual(['again', 'again', 'resumed'])
    expect(seen.calls).toHaveLength(1)
    expect(await readHold(world.store, APP)).toBeNull()
  })
})

describe('an operator’s pause', () => {
  it('is told apart, is not lifted by a probe, and ends with a resume', async () => {
    expect(await pauseApp(world.store, APP, { why: 'migration' })).toBe(true)
    expect(await pauseApp(world.store, APP, { why: 'migration', by: 'eva@ops' })).toBe(false)
    await report({ holdMs: 1 })
    await due()
    expect(await takeProbeTurn(world.store, APP)).toEqual({ kind: 'none' })
    const hold = await readHold(world.store, APP)
    expect(hold).toMatchObject({ operator: { why: 'migration', by: 'eva@ops' }, fault: { kind: 'suspended' } })
    expect(await isPaused()).toBe(true)
    await world.redis.hset(keys.tokenFailure, 'until', String(Date.now() + 60_000))
    expect(await resumeApp(world.store, APP)).toBe(true)
    expect(await isPaused()).toBe(false)
    // Or the next message would find that there is no token, and hold the app again.
    expect(await world.redis.exists(keys.tokenFailure)).toBe(0)
    expect(await resumeApp(world.store, APP)).toBe(false)
    expect(await readHold(world.store, APP)).toBeNull()
  })

  it.each(['before', 'during'] as const)('made with BullMQ alone %s a hold outlasts it', async (when) => {
    const { seen, deliver } = calling(() => 'ok')
    if (when === 'before') await world.send.pause()
    await report()
    if (when === 'during') await world.send.pause()
    await due()
    expect(await takeProbeTurn(world.store, APP)).toEqual({ kind: 'probing' })
    await world.consumer(deliver)
    await world.outbox().send(text('o-patient'))
    expect(await isPaused()).toBe(true)
    expect(await readHold(world.store, APP)).toMatchObject({ pausedElsewhere: true })
    expect(seen.calls).toEqual([])
    await world.send.resume()
    await untilDelivered(1)
    expect(await readHold(world.store, APP)).toBeNull()
  })

  it('made with BullMQ alone is ended by our resume as well', async () => {
    await world.send.pause()
    expect(await resumeApp(world.store, APP)).toBe(true)
    expect(await isPaused()).toBe(false)
  })
})
