/** The same with the minutes that production has: the probe's interval is its default here. */
import { startTcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sendBacklog, watchHolds } from './support/hold.ts'
import { type System, startSystem } from './support/system.ts'

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
