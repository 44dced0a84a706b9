/** Suspension and throttling with real workers, counted at the fake WeChat. Whole minutes are in `hold.long.test.ts`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appPrefix, connectRedis } from '@wechat-outbox/outbox/engine'
import { startTcpProxy } from '@wechat-outbox/sandbox'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APPS, OTHER_APP, sendBacklog, watchHolds } from './support/hold.ts'
import { APP, SECRET, type System, startSystem, text } from './support/system.ts'

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

const PROBE_EVERY_MS = 1000
/** A call that is cut short on a busy machine may have arrived, and is repeated: not here. */
const env = { PROBE_EVERY_MS: String(PROBE_EVERY_MS), SEND_TIMEOUT_MS: '10000', STALLED_AFTER_MS: '15000' }

let system: System
let watch: ReturnType<typeof watchHolds>
async function start(options: Parameters<typeof startSystem>[0] = {}): Promise<void> {
  system = await startSystem({ workers: 2, ...options, env: { ...env, ...options.env } })
  watch = watchHolds(system)
}
const end = async (): Promise<void> => {
  watch.disconnect()
  await system.close()
}
const count = (event: string): number => system.output().split(`"${event}"`).length - 1

describe('one app of two', () => {
  beforeAll(() => start({ workers: 0 }))
  afterAll(end)

  it('in its secret suspends it until the endpoint gives a token, and leaves other apps alone', async () => {
    const file = join(system.redis.dir, 'apps.json')
    await writeFile(file, APPS)
    await system.fake.app(OTHER_APP, SECRET)
    await system.fake.app(APP, 'another secret')
    const apps = { WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file }
    await Promise.all([system.worker(apps), system.worker(apps)])
    const held = await sendBacklog(system, { name: 'held', people: 10, count: 4 })
    await watch.untilHeld({ kind: 'suspended', cause: 'token', reason: { errcode: 40125, name: 'invalid-appsecret' } })
    await (await sendBacklog(system, { name: 'other', people: 5, count: 2, appid: OTHER_APP })).delivered()
    expect(await watch.hold(OTHER_APP)).toBeNull()
    expect((await system.fake.sends()).filter(({ rawBody }) => rawBody.includes('held<'))).toEqual([])
    const status = await system.wxo('status', '--app', APP)
    expect(status.stdout).toContain('suspended since')
    expect(status.stdout).toContain('40125 invalid-appsecret')
    await system.fake.app(APP, SECRET)
    await held.delivered()
    await watch.untilOpen()
    expect(await watch.tries(held.ids)).toBe(held.ids.length)
    expect(count('app.suspended')).toBe(1)
    expect(count('app.resumed')).toBe(1)
  })
})

describe('a WeChat that cannot be reached', () => {
  it('loses no message and no try, and all goes out in order when it opens', async () => {
    await start({ workers: 0 })
    const proxy = await startTcpProxy({ targetPort: Number(new URL(system.fake.url).port) })
    const through = { WECHAT_API_BASE_URL: proxy.url('http') }
    await Promise.all([system.worker(through), system.worker(through)])
    await (await sendBacklog(system, { name: 'open', people: 2, count: 1 })).delivered()
    await proxy.refuse(true)
    proxy.resetAll()
    const backlog = await sendBacklog(system, { name: 'closed', people: 40, count: 3 })
    await watch.untilHeld({ kind: 'suspended', cause: 'road', reason: { name: 'unreachable' } })
    await vi.waitFor(() => expect(count('app.probe-failed')).toBeGreaterThan(1), 20_000)
    await system.fake.fault({ fault: 'http503' })
    await proxy.refuse(false)
    await watch.untilHeld({ cause: 'road', reason: { name: 'refused' } })
    expect(await watch.tries(backlog.ids)).toBe(0)
    expect(await watch.deadLetters()).toBe(0)
    await system.fake.clearFaults()
    await backlog.delivered()
    await watch.untilOpen()
    await proxy.close()
    await end()
  })
})

describe('two workers of an app', () => {
  beforeAll(() => start({ workers: 2 }))
  afterAll(end)

  it.each([
    ['at once', 40164, 'ip-not-allowed', 0],
    ['the third time in a row', 48001, 'api-unauthorized', 2],
  ])('are suspended by a fault of the app %s, and probe by one call: %i', async (_when, errcode, name, dead) => {
    const deadBefore = await watch.deadLetters()
    await system.fake.fault({ fault: { name: 'errcode', errcode } })
    // One at a time at first, so that those that die of it can be told.
    for (let n = 0; n < dead; n += 1) {
      const { id } = await system.outbox.send(text(`o-first-${errcode}-${n}`, 'first'))
      await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('dead'), 15_000)
    }
    const backlog = await sendBacklog(system, { name: `backlog-${errcode}`, people: 250, count: 2 })
    await watch.untilHeld({ kind: 'suspended', cause: 'send', reason: { errcode, name } })
    await vi.waitFor(async () => expect(await watch.active()).toBe(0), 15_000)
    const before = (await system.fake.sends()).length
    const failed = count('app.probe-failed')
    await vi.waitFor(() => expect(count('app.probe-failed')).toBeGreaterThan(failed + 2), 20_000)
    const calls = (await system.fake.sends()).slice(before)
    expect(calls.length).toBeGreaterThanOrEqual(3)
    // One may be open, and one may have come back and not stand in the log yet.
    expect(calls.length).toBeLessThanOrEqual(count('app.probe-failed') - failed + 2)
    await system.fake.clearFaults()
    await backlog.delivered()
    await watch.untilOpen()
    // The delivery itself, and nothing before it.
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
    expect(await watch.deadLetters()).toBe(deadBefore + dead)
  })

  it('are held by a minute’s quota for a minute, or until an operator’s word', async () => {
    await system.fake.fault({ fault: { name: 'errcode', errcode: 45011 } })
    const backlog = await sendBacklog(system, { name: 'quota-minute', people: 60, count: 2 })
    await watch.untilHeld({ kind: 'throttled', cause: 'quota', reason: { errcode: 45011 } })
    await vi.waitFor(async () => expect(await watch.active()).toBe(0), 15_000)
    const calls = (await system.fake.sends()).length
    const { fault } = (await watch.hold()) ?? {}
    expect((fault?.until ?? 0) - (fault?.since ?? 0)).toBeGreaterThanOrEqual(55_000)
    expect((fault?.until ?? 0) - (fault?.since ?? 0)).toBeLessThanOrEqual(65_000)
    await system.fake.clearFaults()
    expect((await system.fake.sends()).length).toBe(calls)
    expect((await system.wxo('app', 'resume', APP)).code).toBe(0)
    await backlog.delivered()
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
  })

  it('are probed while a day’s quota is used up, as for any other fault, and go on when it is back', async () => {
    await system.fake.fault({ fault: { name: 'errcode', errcode: 45009 } })
    const backlog = await sendBacklog(system, { name: 'quota-day', people: 20, count: 2 })
    await watch.untilHeld({ kind: 'throttled', cause: 'quota', reason: { errcode: 45009 } })
    const failed = count('app.probe-failed')
    await vi.waitFor(() => expect(count('app.probe-failed')).toBeGreaterThan(failed + 2), 20_000)
    await system.fake.clearFaults()
    await backlog.delivered()
    await watch.untilOpen()
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
  })

  it.each([
    ['pages instead of answers', 'html502', { cause: 'road', reason: { name: 'not-wechat' } }, 0],
    [
      'a code that nobody knows',
      { name: 'errcode', errcode: 12_345 },
      { cause: 'send', reason: { errcode: 12_345, name: 'unknown' } },
      4,
    ],
  ] as const)(
    'are held for %s to several people, and lose no try or message from then on',
    async (_what, fault, held, dead) => {
      await system.outbox.send(text('o-ends-the-row', 'ends the row'))
      await vi.waitFor(async () => expect(await system.fake.accepted('ends the row')).not.toEqual([]), 15_000)
      await system.fake.fault({ fault })
      const backlog = await sendBacklog(system, { name: `row-${dead}`, people: 10, count: 2 })
      await watch.untilHeld({ kind: 'suspended', ...held })
      const failed = count('app.probe-failed')
      await vi.waitFor(() => expect(count('app.probe-failed')).toBeGreaterThan(failed + 2), 20_000)
      await system.fake.clearFaults()
      const statuses = async (): Promise<(string | undefined)[]> =>
        Promise.all(backlog.ids.map(async (id) => (await system.outbox.status(id))?.status))
      await vi.waitFor(
        async () => {
          const all = await statuses()
          expect(all.filter((status) => status !== 'delivered' && status !== 'dead')).toEqual([])
          // At most: one whose answer is settled after the fifth was heard is held with the others.
          expect(all.filter((status) => status === 'dead').length).toBeLessThanOrEqual(dead)
        },
        { timeout: 30_000, interval: 100 },
      )
      await watch.untilOpen()
      // The four calls before the one that held the app.
      expect(await watch.tries(backlog.ids)).toBeLessThanOrEqual(backlog.ids.length + 4)
    },
  )

  it('are held as long as Retry-After says, and no longer', async () => {
    await system.fake.fault({ times: 1, fault: { name: 'http429', retryAfterS: 2 } })
    await system.outbox.send(text('o-asked', 'asked'))
    const asked = { kind: 'throttled', cause: 'asked', reason: { errmsg: 'HTTP 429' } }
    const { since = 0, until = 0 } = (await watch.untilHeld(asked)) ?? {}
    expect(until - since).toBe(2000)
    const backlog = await sendBacklog(system, { name: 'behind', people: 20, count: 2 })
    await backlog.delivered()
    const first = (await system.fake.accepted('behind<'))[0]
    expect(first?.at).toBeGreaterThanOrEqual(until)
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
  })

  it('are held by an operator’s pause until wxo ends it, and one by BullMQ outlasts a suspension', async () => {
    const sent = (await system.fake.sends()).length
    expect((await system.wxo('app', 'pause', APP, '--why', 'move')).code).toBe(0)
    const paused = await sendBacklog(system, { name: 'paused', people: 5, count: 2 })
    expect((await system.wxo('status')).stdout).toContain('paused by an operator')
    expect(await system.fake.sends()).toHaveLength(sent)
    expect((await system.wxo('app', 'resume', APP)).code).toBe(0)
    await paused.delivered()

    await system.fake.fault({ fault: { name: 'errcode', errcode: 40164 } })
    const both = await sendBacklog(system, { name: 'both', people: 5, count: 2 })
    await watch.untilHeld({ reason: { errcode: 40164 } })
    const redis = connectRedis(system.redis.url, 'operate')
    const queue = new Queue('send', { connection: redis, prefix: appPrefix(APP) })
    await queue.pause()
    await system.fake.clearFaults()
    await vi.waitFor(async () => expect((await watch.hold())?.fault?.probing).toBe(true), 15_000)
    expect(await watch.hold()).toMatchObject({ pausedElsewhere: true })
    expect(await system.fake.accepted('both<')).toEqual([])
    await queue.resume()
    await both.delivered()
    await queue.close()
    redis.disconnect()
  })
})

describe('a worker that dies while its call probes', () => {
  it('leaves the probe to another', async () => {
    await start({ workers: 0, env: { SEND_TIMEOUT_MS: '1000', STALLED_AFTER_MS: '3000' } })
    const prober = await system.worker()
    await system.fake.fault({ fault: { name: 'errcode', errcode: 40164 } })
    const backlog = await sendBacklog(system, { name: 'orphan', people: 20, count: 2 })
    await watch.untilHeld({ reason: { errcode: 40164 } })
    await vi.waitFor(async () => expect(await watch.active()).toBe(0), 15_000)
    await system.fake.clearFaults()
    await system.fake.fault({ fault: 'hang' })
    const before = (await system.fake.sends()).length
    await vi.waitFor(async () => expect((await system.fake.sends()).length).toBe(before + 1), {
      timeout: 15_000,
      interval: 10,
    })
    await prober.kill9()
    await system.fake.clearFaults()
    await system.worker()
    await backlog.delivered()
    await watch.untilOpen()
    await end()
  })
})
