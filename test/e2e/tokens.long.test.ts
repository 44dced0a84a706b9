import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '@wechat-outbox/outbox/engine'
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

/** The machine's other work makes single figures jump. */
async function thrice(trial: Trial): Promise<number[]> {
  const figures: number[] = []
  while (figures.length < 3) figures.push(Math.round(await trial.throughput(2000)))
  return figures
}

describe('a token endpoint that fails for two minutes', () => {
  // Beside the default an interval at which probes come as often as the token's own memory of failures lets them.
  it.each([60_000, 1000])(
    'is called five times a minute at most for each app, probed every %i ms',
    async (every) => {
      const trial = await started({ workers: 4, apps: 4, env: { PROBE_EVERY_MS: String(every) } })
      await trial.throughput(2000)
      const undisturbed = await thrice(trial)
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
      await trial.produce(20)
      const beside = await thrice(trial)
      // Messages go on coming, so that somebody always wants a token.
      while (Date.now() < began + TWO_MINUTES_MS) {
        await trial.produce(20)
        await sleep(2000)
      }
      beside.push(...(await thrice(trial)))
      const { stdout } = await trial.system.wxo('app', 'ls')
      const lines = trial.apps.map((appid) => stdout.slice(stdout.indexOf(appid)))
      for (const [n, reason] of ['40001', '40164', 'token-unavailable', 'token-unavailable'].entries()) {
        expect(lines[n]).toMatch(new RegExp(`^\\S+[^\\n]*\\n? *[^\\n]*suspended since [^\\n]*${reason}`))
      }
      const failing = await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))
      expect(await trial.accepted()).toBe(0)
      for (const calls of failing) {
        expect(calls.length).toBeGreaterThanOrEqual(2)
        expect(mostPerMinute(calls)).toBeLessThanOrEqual(5)
      }
      await trial.system.fake.clearFaults()
      const recovered = Date.now()
      await trial.untilAllAccepted(90_000)
      const tookS = (Date.now() - recovered) / 1000
      await trial.expectAllInOrder()
      const all = await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))
      for (const calls of all) expect(mostPerMinute(calls)).toBeLessThanOrEqual(5)
      const perMinute = failing.map(mostPerMinute)
      const figures = { every, perMinute, tookS, undisturbed, beside }
      process.stdout.write(`a token endpoint that fails: ${JSON.stringify(figures)}\n`)
    },
    400_000,
  )
})

describe('an app of which WeChat refuses every token', () => {
  it.each([60_000, 1000])(
    'fetches five a minute at most, probed every %i ms, and recovers',
    async (every) => {
      const token = [{ type: 'classic' }, { type: 'stable' }]
      const trial = await started({ workers: 4, apps: 2, token, env: { PROBE_EVERY_MS: String(every) } })
      for (const appid of trial.apps)
        await trial.system.fake.fault({ appid, fault: { name: 'errcode', errcode: 40001 } })
      const began = Date.now()
      while (Date.now() < began + TWO_MINUTES_MS) {
        await trial.produce(20)
        await sleep(2000)
      }
      const { stdout } = await trial.system.wxo('app', 'ls')
      expect(stdout.match(/suspended since .*40001/g)).toHaveLength(2)
      const messages = trial.apps.map(async (appid) => {
        const sends = (await trial.system.fake.sends()).filter(
          (send) => send.appid === appid && send.at > began + 10_000,
        )
        return new Set(sends.map(({ rawBody }) => rawBody)).size
      })
      const probed = await Promise.all(messages)
      // After the first seconds: one message for each minute's probe.
      for (const count of probed) expect(count).toBeLessThanOrEqual(3)
      expect(await trial.accepted()).toBe(0)
      await trial.system.fake.clearFaults()
      const recovered = Date.now()
      await trial.untilAllAccepted(90_000)
      const tookS = (Date.now() - recovered) / 1000
      await trial.expectAllInOrder()
      const calls = await Promise.all(trial.apps.map((appid) => trial.tokenCalls(appid)))
      const perMinute = calls.map(mostPerMinute)
      process.stdout.write(`every token refused: ${JSON.stringify({ every, perMinute, probed, tookS })}\n`)
      // Runs whose calls were open when the app was held may have fetched one more: only then.
      for (const all of calls) expect(mostPerMinute(all.filter(({ at }) => at > began + 10_000))).toBeLessThanOrEqual(5)
    },
    400_000,
  )
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
