import { connectRedis } from '@wechat-outbox/outbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { eventsOf, mostPerMinute, startTrial, type Trial } from './support/token-trial.ts'

const ending: Trial[] = []
async function started(...options: Parameters<typeof startTrial>): Promise<Trial> {
  const trial = await startTrial(...options)
  ending.push(trial)
  return trial
}
afterEach(async () => {
  for (const one of ending.splice(0)) await one.close()
})

const TWO_MINUTES_MS = 120_000

describe('a token endpoint that fails for two minutes', () => {
  it('is called five times a minute at most for each app, by all workers, and then everything is delivered', async () => {
    const trial = await started({ workers: 4, apps: 4 })
    const faults = [
      { name: 'errcode', errcode: 40001 },
      { name: 'errcode', errcode: 40164 },
      { name: 'hang' },
      { name: 'html200' },
    ] as const
    for (const [n, appid] of trial.apps.entries()) {
      await trial.system.fake.fault({ endpoint: 'token', appid, fault: faults[n] ?? 'hang' })
    }
    const began = Date.now()
    // Messages go on coming, so that somebody always wants a token.
    while (Date.now() < began + TWO_MINUTES_MS) {
      await trial.produce(20)
      const until = Date.now() + 2000
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThanOrEqual(until), { timeout: 10_000, interval: 200 })
    }
    const failing = await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))
    expect(await trial.accepted()).toBe(0)
    for (const calls of failing) {
      expect(calls.length).toBeGreaterThanOrEqual(2)
      expect(mostPerMinute(calls)).toBeLessThanOrEqual(5)
    }
    await trial.system.fake.clearFaults()
    await trial.untilAllAccepted(150_000)
    await trial.expectAllInOrder()
    const all = await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))
    for (const calls of all) expect(mostPerMinute(calls)).toBeLessThanOrEqual(5)
    process.stdout.write(`token calls while failing: ${failing.map((calls) => calls.length).join(', ')}\n`)
  }, 400_000)
})

describe('an answer that comes 20 seconds late', () => {
  it('does not take the place of the token that was stored meanwhile', async () => {
    const env = { SEND_TIMEOUT_MS: '25000', STALLED_AFTER_MS: '28000' }
    const trial = await started({ workers: 1, apps: 1, token: { type: 'classic' }, env })
    const { system } = trial
    const appid = trial.apps[0] ?? ''
    await system.fake.fault({ endpoint: 'token', times: 1, fault: { name: 'latency', minMs: 20_000, maxMs: 20_000 } })
    await trial.produce(1)
    await vi.waitFor(async () => expect(await trial.tokenCalls(appid)).toHaveLength(1), 20_000)
    const redis = connectRedis(system.redis.url, 'work')
    // What happens to the lock of a process that is stopped for a while, and then goes on.
    await redis.del(`{wxo:${appid}}:token:lock`)
    await system.worker()
    await trial.produce(20)
    await vi.waitFor(async () => expect(await trial.tokenCalls(appid)).toHaveLength(2), 20_000)
    const stored = await vi.waitFor(
      async () => {
        const value = await redis.hget(`{wxo:${appid}}:token`, 'value')
        expect(value).not.toBeNull()
        return value
      },
      { timeout: 10_000, interval: 20 },
    )
    const late = () => eventsOf(system, 'token.refreshed').filter(({ result }) => result === 'superseded')
    await vi.waitFor(() => expect(late()).toHaveLength(1), { timeout: 60_000, interval: 100 })
    expect(await redis.hget(`{wxo:${appid}}:token`, 'value')).toBe(stored)
    redis.disconnect()
    await trial.produce(20)
    await trial.untilAllAccepted()
    await trial.expectAllInOrder()
    expect(await trial.tokenCalls(appid)).toHaveLength(2)
  }, 180_000)
})
