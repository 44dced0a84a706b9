import { afterEach, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'
import { eventsOf, startTrial, type Trial } from './support/token-trial.ts'

const ending: { close(): Promise<void> }[] = []
async function started<T extends { close(): Promise<void> }>(one: Promise<T>): Promise<T> {
  ending.push(await one)
  return one
}
afterEach(async () => {
  for (const one of ending.splice(0)) await one.close()
})

/** Pairs are ten rounds: twenty tokens die in either test. */
const ROUNDS = 20
const PER_ROUND = 60

/** The token calls of each app in each round, in which tokens die once or more under load. */
async function invalidated(trial: Trial, rounds: number, invalidate: () => Promise<void>): Promise<number[]> {
  await trial.produce(PER_ROUND)
  await trial.untilAllAccepted()
  const calls: number[] = []
  const count = () => Promise.all(trial.apps.map(async (appid) => (await trial.tokenCalls(appid)).length))
  let before = await count()
  expect(before).toEqual(trial.apps.map(() => 1))
  for (let round = 1; round <= rounds; round += 1) {
    const accepted = await trial.accepted()
    await trial.produce(PER_ROUND)
    await trial.untilAccepted(accepted + PER_ROUND / 4)
    await invalidate()
    // The tokens have died in the middle of a load, and there is more to send than what was on its way.
    await trial.produce(PER_ROUND)
    await trial.untilAllAccepted()
    const now = await count()
    calls.push(...now.map((calls, n) => calls - (before[n] ?? 0)))
    before = now
  }
  return calls
}

describe('tokens that die under the load of four workers and two apps', () => {
  it('cost one call each, two at most, and no message a try, its place or its life', async () => {
    const trial = await started(startTrial({ workers: 4, apps: 2 }))
    const calls = await invalidated(trial, ROUNDS, () => trial.invalidate())
    await trial.expectAllInOrder()
    expect(Math.max(...calls)).toBeLessThanOrEqual(2)
    expect(calls.reduce((sum, one) => sum + one, 0) / calls.length).toBeLessThanOrEqual(1.5)
    expect(eventsOf(trial.system, 'token.unavailable')).toEqual([])
  }, 180_000)

  it('in pairs, the second as soon as the first has been replaced, make nobody wait', async () => {
    const trial = await started(startTrial({ workers: 4, apps: 2 }))
    const calls = await invalidated(trial, ROUNDS / 2, async () => {
      const total = async () => (await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))).flat().length
      const before = await total()
      await trial.invalidate()
      // All that was under way may have arrived before the tokens died: then nothing would find out.
      await trial.produce(1)
      await vi.waitFor(async () => expect(await total()).toBeGreaterThan(before), { timeout: 10_000, interval: 5 })
      await trial.invalidate()
    })
    await trial.expectAllInOrder()
    expect(Math.max(...calls)).toBeLessThanOrEqual(4)
    expect(calls.reduce((sum, one) => sum + one, 0) / calls.length).toBeLessThanOrEqual(3)
    expect(eventsOf(trial.system, 'token.unavailable')).toEqual([])
    const outcomes = new Set(eventsOf(trial.system, 'delivery.attempted').map(({ outcome }) => outcome))
    expect(outcomes).toEqual(new Set(['delivered', 'token-refreshed']))
  }, 180_000)
})

describe('a worker that is killed while it fetches a token', () => {
  it('delays the others by seconds', async () => {
    const system = await started<System>(startSystem({ workers: 1 }))
    await system.fake.fault({ endpoint: 'token', times: 1, fault: 'hang' })
    const { id } = await system.outbox.send(text('o-waits', 'waits'))
    await vi.waitFor(async () => expect((await system.fake.ledger()).tokenCalls).toHaveLength(1), 10_000)
    await system.workers[0]?.kill9()
    await system.worker()
    await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'), 15_000)
    const { tokenCalls } = await system.fake.ledger()
    expect(tokenCalls.map(({ appid }) => appid)).toEqual([APP, APP])
  }, 60_000)
})
