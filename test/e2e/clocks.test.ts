// Hosts whose clocks are ten minutes off, producers and workers alike: `sendAt` and `expiresAt` are kept by Redis's clock, which is
// this machine's own here.
import { join } from 'node:path'
import { type SendResult } from '@wechat-outbox/outbox'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { logged } from './support/fleet.ts'
import { APP, SECRET, type System, startSystem, text } from './support/system.ts'

let system: System | undefined
afterEach(async () => {
  await system?.close()
  system = undefined
})

const SUPPORT = join(import.meta.dirname, 'support')
const TEN_MINUTES_MS = 600_000
const RATED = { WECHAT_APPS: JSON.stringify([{ appid: APP, secret: SECRET, maxPerSecond: 100 }]) }
const shifted = (ms: number) => ({
  NODE_OPTIONS: `--import=${join(SUPPORT, 'shifted-clock.ts')}`,
  CLOCK_SHIFT_MS: String(ms),
})

/** Sends from a process of its own, whose clock is off as well. */
async function sendFrom(shiftMs: number, from: System, requests: readonly object[]): Promise<string[]> {
  const args = [join(SUPPORT, 'producer.ts'), from.redis.url, APP, JSON.stringify(requests)]
  const producer: StartedProcess = startProcess({ args, cwd: join(SUPPORT, '../../..'), env: shifted(shiftMs) })
  onTestFinished(async () => void (await producer.stop('SIGTERM', 1000)))
  const [, receipts = '[]'] = await producer.waitForLine(/^receipts (.*)$/)
  return (JSON.parse(receipts) as SendResult[]).flatMap((result) => ('id' in result ? [result.id] : []))
}

describe.each([
  ['ahead', TEN_MINUTES_MS, {}],
  ['behind', -TEN_MINUTES_MS, {}],
  // BullMQ's own script fetches then.
  ['ahead, of an app with a rate', TEN_MINUTES_MS, RATED],
])('clocks ten minutes %s', (_what, shiftMs, env) => {
  it('send nothing before its time, nothing much later, and let nothing die too early', async () => {
    system = await startSystem({ workers: 0 })
    const { fake, outbox } = system
    const worker = await system.worker({ ...env, ...shifted(shiftMs) })
    const [skewed] = logged(worker, 'clock.skewed')
    expect(Math.abs(Number(skewed?.['aheadMs']) - shiftMs)).toBeLessThan(5000)
    const redis = connectRedis(system.redis.url, 'operate')
    onTestFinished(() => redis.disconnect())
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
    const now = Date.now()
    const inMs = 4000
    const at = now + inMs
    // Dies only of WeChat's silence about it, long after this test; and dies while it waits for its time.
    const ids = await sendFrom(shiftMs, system, [
      { ...text('o-later', 'later'), sendAt: at, expiresAt: at + 120_000 },
      { ...text('o-now', 'now'), expiresAt: now + 120_000 },
      { ...text('o-far', 'far'), sendAt: now + 300_000, expiresAt: now + 400_000 },
    ])
    expect(ids).toHaveLength(3)
    const [later = '', soon = '', far = ''] = ids
    await vi.waitFor(async () => expect((await outbox.status(soon))?.status).toBe('delivered'), 20_000)
    // While it waits, nobody asks again and again whether it is due.
    const [before, from] = [await scripts(), performance.now()]
    await vi.waitFor(async () => expect(await fake.accepted('later')).toHaveLength(1), {
      timeout: 30_000,
      interval: 20,
    })
    const [asked, tookMs] = [(await scripts()) - before, performance.now() - from]
    expect(asked).toBeLessThan(20 + tookMs / 50)
    const [sent] = await fake.accepted('later')
    expect(sent?.at).toBeGreaterThanOrEqual(at)
    // Well within the skew, on a machine that has other things to do.
    expect(sent?.at).toBeLessThan(at + 60_000)
    await vi.waitFor(async () => expect((await outbox.status(later))?.status).toBe('delivered'), 20_000)
    expect((await outbox.status(far))?.status).toBe('scheduled')
    const attempt = (await outbox.status(later))?.attempts.at(-1)
    expect(Number(attempt?.at)).toBeGreaterThanOrEqual(at)
  }, 120_000)
})
