/** The same with the minutes that production has: the probe's interval is its default here. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startTcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sendBacklog, watchHolds } from './support/hold.ts'
import { APP, SECRET, type System, startSystem } from './support/system.ts'

const MINUTE_MS = 60_000
/** A call that is cut short on a busy machine may have arrived, and is repeated: not here. */
const env = { SEND_TIMEOUT_MS: '10000', STALLED_AFTER_MS: '15000' }

let system: System
let watch: ReturnType<typeof watchHolds>
async function start(): Promise<void> {
  system = await startSystem({ workers: 0, env })
  watch = watchHolds(system)
}
afterEach(async () => {
  watch.disconnect()
  await system.close()
})

const lasts = (ms: number) => {
  const until = Date.now() + ms
  return vi.waitFor(() => expect(Date.now()).toBeGreaterThan(until), { timeout: ms + 10_000, interval: 500 })
}

describe('WeChat out of reach for five minutes', () => {
  it('costs no message and no try, and everything is delivered in order afterwards', async () => {
    await start()
    const proxy = await startTcpProxy({ targetPort: Number(new URL(system.fake.url).port) })
    const through = { WECHAT_API_BASE_URL: proxy.url('http') }
    const nowhere = await system.worker({ WECHAT_API_BASE_URL: 'https://wechat.invalid' })
    const backlog = await sendBacklog(system, { name: 'away', people: 50, count: 4 })
    await lasts(100_000)
    expect(await watch.hold()).not.toBeNull()
    await nowhere.stop()
    await proxy.refuse(true)
    await Promise.all([system.worker(through), system.worker(through)])
    await lasts(100_000)
    await system.fake.fault({ fault: 'http503' })
    await proxy.refuse(false)
    await lasts(100_000)
    expect(await watch.tries(backlog.ids)).toBe(0)
    expect(await watch.deadLetters()).toBe(0)
    await system.fake.clearFaults()
    await backlog.delivered(1.5 * MINUTE_MS)
    await watch.untilOpen()
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
    await proxy.close()
  })
})

describe('an app that is held with its minute to go', () => {
  it('goes on at an operator’s word, though it sleeps and its last token was refused a moment ago', async () => {
    await start()
    await system.fake.app(APP, 'another secret')
    await Promise.all([system.worker(), system.worker()])
    const backlog = await sendBacklog(system, { name: 'asleep', people: 10, count: 3 })
    await watch.untilHeld({ cause: 'token', reason: { errcode: 40125 } })
    await lasts(12_000)
    expect(await watch.connections()).toBe(0)
    await system.fake.app(APP, SECRET)
    expect((await system.wxo('app', 'resume', APP)).code).toBe(0)
    await backlog.delivered()
    expect(await watch.hold()).toBeNull()
    // No probe has ended it.
    expect(system.output()).not.toContain('"app.resumed"')
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
  })

  it('is taken over when its configuration is corrected and read again', async () => {
    await start()
    const file = join(system.redis.dir, 'apps.json')
    const write = (app: object) => writeFile(file, JSON.stringify([{ appid: APP, ...app }]))
    await write({ secret: 'another' })
    const apps = { WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file }
    const workers = await Promise.all([system.worker(apps), system.worker(apps)])
    const change = async (app: object): Promise<void> => {
      await write(app)
      const changed = workers.map((worker) => worker.stdout().split('apps.changed').length)
      for (const worker of workers) process.kill(worker.pid, 'SIGHUP')
      await vi.waitFor(() => {
        for (const [n, worker] of workers.entries())
          expect(worker.stdout().split('apps.changed').length).toBeGreaterThan(changed[n] ?? 0)
      }, 10_000)
    }
    const backlog = await sendBacklog(system, { name: 'corrected', people: 20, count: 3 })
    await watch.untilHeld({ cause: 'token', reason: { errcode: 40125 } })
    await change({ secret: SECRET })
    await backlog.delivered(1.5 * MINUTE_MS)
    await watch.untilOpen()
    await system.fake.fault({ fault: { name: 'errcode', errcode: 40164 } })
    const next = await sendBacklog(system, { name: 'changed', people: 20, count: 3 })
    await watch.untilHeld({ cause: 'send', reason: { errcode: 40164 } })
    await change({ secret: SECRET, concurrency: 3, maxPerSecond: 30 })
    await system.fake.clearFaults()
    await next.delivered(1.5 * MINUTE_MS)
    await watch.untilOpen()
    expect(await watch.tries([...backlog.ids, ...next.ids])).toBe(120)
  })

  it('is probed by another worker when one has died while it asked for a token', async () => {
    await start()
    await system.fake.fault({ endpoint: 'token', fault: 'hang' })
    const prober = await system.worker()
    const backlog = await sendBacklog(system, { name: 'orphaned', people: 20, count: 3 })
    await watch.untilHeld({ cause: 'token', reason: { name: 'token-unavailable' } })
    const asked = async () => (await system.fake.ledger()).tokenCalls.length
    const before = await asked()
    await vi.waitFor(async () => expect(await asked()).toBe(before + 1), { timeout: MINUTE_MS, interval: 50 })
    await prober.kill9()
    await system.fake.clearFaults()
    await system.worker()
    await backlog.delivered(1.5 * MINUTE_MS)
    await watch.untilOpen()
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
  })
})

describe('an app at fault', () => {
  it('is suspended, and delivers within 90 s of its recovery', async () => {
    await start()
    await Promise.all([system.worker(), system.worker()])
    for (const errcode of [40164, 45011]) {
      await system.fake.fault({ fault: { name: 'errcode', errcode } })
      const backlog = await sendBacklog(system, { name: `fault-${errcode}`, people: 20, count: 3 })
      await watch.untilHeld({ reason: { errcode } })
      await system.fake.clearFaults()
      await backlog.delivered(1.5 * MINUTE_MS)
      await watch.untilOpen()
      expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
    }
  })
})

describe('a token endpoint that says for 50 seconds that its quota is used up', () => {
  it('is asked after 15, 45 and 105 seconds, and messages go within a minute after it is well', async () => {
    await start()
    const began = Date.now()
    await system.fake.fault({ fault: { name: 'late-45009', forMs: 50_000 } })
    await Promise.all([system.worker(), system.worker()])
    const backlog = await sendBacklog(system, { name: 'quota', people: 20, count: 3 })
    await watch.untilHeld({ kind: 'throttled', cause: 'token', reason: { errcode: 45_009 } })
    await backlog.delivered(2.5 * MINUTE_MS)
    const { sends, tokenCalls } = await system.fake.ledger()
    expect(tokenCalls.map(({ errcode }) => errcode ?? 0)).toEqual([45_009, 45_009, 45_009, 0])
    expect((sends[0]?.at ?? 0) - (began + 50_000)).toBeLessThanOrEqual(75_000)
    expect(await watch.tries(backlog.ids)).toBe(backlog.ids.length)
    expect(await watch.deadLetters()).toBe(0)
    await watch.untilOpen()
  })
})
