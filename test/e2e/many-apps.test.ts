import { monitorEventLoopDelay } from 'node:perf_hooks'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { askRedis, type StartedProcess } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Fleet, fleetApps, logged, startFleet } from './support/fleet.ts'
import { text } from './support/system.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.close()
  fleet = undefined
})

const MINUTES = { timeout: 180_000 }
const hangUp = (worker: StartedProcess): boolean => process.kill(worker.pid, 'SIGHUP')
const sendTo = (at: Fleet, appid: string, contents: readonly string[]) =>
  at.outbox(appid).sendMany(contents.map((content) => text(`o-${content}`, content)))
const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}${at}`)
/** What WeChat took for an app, by content. */
const acceptedOf = ({ fake }: Fleet, appid: string): string[] =>
  fake.ledger
    .accepted()
    .filter((entry) => entry.appid === appid)
    .map((entry) => (entry.body as { text: { content: string } }).text.content)

describe('a worker on SIGHUP', () => {
  it('adds, changes and removes apps, refuses a bad file, and leaves an app under load alone', MINUTES, async () => {
    const [busy, leaving, changing, coming, ...rest] = fleetApps(4)
    if (!busy || !leaving || !changing || !coming || rest.length > 0) throw new Error('four apps')
    fleet = await startFleet([busy, leaving, changing, coming], { SHUTDOWN_TIMEOUT_MS: '20000' })
    await fleet.writeApps([busy, leaving, changing])
    fleet.fake.control.addFault({ fault: { name: 'latency', minMs: 300, maxMs: 600 } })
    const worker = await fleet.worker({ WORKER_CONCURRENCY: '8' })
    const load = numbered('busy', 200)
    await sendTo(fleet, busy.appid, load)
    await sendTo(fleet, leaving.appid, numbered('leaving', 8))
    await sendTo(fleet, changing.appid, numbered('changing', 30))
    const { fake } = fleet
    await vi.waitFor(() => expect(new Set(fake.ledger.sends().map(({ appid }) => appid)).size).toBe(3), 20_000)

    await fleet.writeApps('[{"appid":')
    hangUp(worker)
    await worker.waitForLine(/"apps.refused"/)
    await fleet.writeApps([busy, { ...changing, secret: '' }, { ...coming, appid: 'nonsense' }])
    hangUp(worker)
    await vi.waitFor(() => expect(logged(worker, 'apps.refused')).toHaveLength(2), 10_000)
    const [, second] = logged(worker, 'apps.refused')
    expect(second?.['problems']).toEqual([
      expect.stringMatching(/^WECHAT_APPS_FILE 1.secret /),
      expect.stringMatching(/^WECHAT_APPS_FILE 2.appid /),
    ])

    await fleet.writeApps([busy, { ...changing, concurrency: 3 }, coming])
    // In the middle of each other: the last state of the file holds. One of them changes the apps, the others find nothing to do
    // and may say so first, because nothing has to start for it.
    for (let times = 0; times < 5; times += 1) hangUp(worker)
    const line = await worker.waitForLine(/"apps.changed".*"added":\["/)
    expect(JSON.parse(line.input ?? '')).toMatchObject({
      added: [coming.appid],
      changed: [changing.appid],
      removed: [leaving.appid],
    })
    await sendTo(fleet, coming.appid, ['welcome'])
    await sendTo(fleet, leaving.appid, ['too-late'])
    const now = fleet
    await vi.waitFor(() => {
      expect(acceptedOf(now, busy.appid).toSorted()).toEqual(load.toSorted())
      expect(acceptedOf(now, changing.appid)).toHaveLength(30)
      expect(acceptedOf(now, coming.appid)).toEqual(['welcome'])
      expect(acceptedOf(now, leaving.appid).toSorted()).toEqual(numbered('leaving', 8))
    }, 60_000)
    expect(fake.ledger.summary().doubles).toBe(0)
    // No call was cut: each message was delivered by its first attempt.
    const outcomes = new Set(logged(worker, 'delivery.attempted').map(({ outcome }) => outcome))
    expect([...outcomes]).toEqual(['delivered'])
    // Back again, while the rest goes on.
    await fleet.writeApps([leaving, busy])
    hangUp(worker)
    await vi.waitFor(() => expect(acceptedOf(now, leaving.appid)).toContain('too-late'), 20_000)
    // While it ends, and whatever it is asked.
    hangUp(worker)
    const ended = worker.stop('SIGTERM', 30_000)
    hangUp(worker)
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(worker.stdout()).not.toContain(busy.secret)
  })

  it('serves an app that comes while Redis is busy with somebody’s script', MINUTES, async () => {
    const [app, coming] = fleetApps(2)
    if (!app || !coming) throw new Error('two apps')
    fleet = await startFleet([app, coming])
    await fleet.writeApps([app])
    const worker = await fleet.worker()
    const { redis, client } = fleet
    await client.config('SET', 'busy-reply-threshold', '1')
    const other = connectRedis(redis.url, 'operate')
    void other.eval('while true do end', 0).catch(() => undefined)
    const isBusy = () => client.ping().catch((error: Error) => error.message)
    await vi.waitFor(async () => expect(await isBusy()).toContain('BUSY'), { timeout: 10_000, interval: 10 })
    await fleet.writeApps([app, coming])
    hangUp(worker)
    await worker.waitForLine(/measuring the clock|process.reload-failed/)
    await askRedis(redis.port, 'SCRIPT KILL')
    other.disconnect()
    await sendTo(fleet, coming.appid, ['welcome'])
    const now = fleet
    await vi.waitFor(() => expect(acceptedOf(now, coming.appid)).toEqual(['welcome']), 20_000)
    expect(worker.stdout()).not.toContain('process.reload-failed')
  })
})

describe('several workers', () => {
  it('that share the apps out serve each of them once', MINUTES, async () => {
    const apps = fleetApps(12)
    fleet = await startFleet(apps)
    const now = fleet
    const workers = await Promise.all(['1/3', '2/3', '3/3'].map((part) => now.worker({ WORKER_SHARD: part })))
    const servedBy = (worker: StartedProcess) =>
      logged(worker, 'worker.started').flatMap((line) => line['apps'] as string[])
    const served = workers.flatMap(servedBy)
    expect(served.toSorted()).toEqual(apps.map(({ appid }) => appid))
    await Promise.all(apps.map(({ appid }) => sendTo(now, appid, numbered(appid, 3))))
    await vi.waitFor(() => expect(now.fake.ledger.acceptedCount()).toBe(36), 20_000)
    // A worker writes its line after WeChat has answered.
    await vi.waitFor(() => {
      for (const worker of workers) {
        const sent = new Set(logged(worker, 'delivery.attempted').map((line) => line['appid'] as string))
        expect([...sent].toSorted()).toEqual(servedBy(worker).toSorted())
      }
    }, 20_000)
  })

  it('that all sleep wake up together for a burst', MINUTES, async () => {
    const [app] = fleetApps(1)
    if (app === undefined) throw new Error('one app')
    fleet = await startFleet([app])
    const now = fleet
    // On a busy machine the fake, which is in this process, may answer late; a call that is given up may arrive twice.
    const patient = { SEND_TIMEOUT_MS: '20000', STALLED_AFTER_MS: '30000' }
    const workers = [await now.worker(patient), await now.worker(patient)]
    now.fake.control.addFault({ fault: { name: 'latency', minMs: 50, maxMs: 50 } })
    await Promise.all(['one', 'two'].map((half) => sendTo(now, app.appid, numbered(half, 1000))))
    await vi.waitFor(() => expect(now.fake.ledger.acceptedCount()).toBe(2000), 60_000)
    const shares = workers.map((worker) => logged(worker, 'delivery.attempted').length)
    expect(Math.min(...shares)).toBeGreaterThan(400)
    expect(now.fake.ledger.summary().doubles).toBe(0)
  })

  it('keep an app’s rate together, in whatever second one looks', MINUTES, async () => {
    const [app] = fleetApps(1)
    if (app === undefined) throw new Error('one app')
    fleet = await startFleet([app])
    const now = fleet
    await now.writeApps([{ ...app, maxPerSecond: 50 }])
    await Promise.all([now.worker(), now.worker(), now.worker()])
    // A few first, so that a window is open already when the many come.
    await sendTo(now, app.appid, numbered('early', 2))
    await vi.waitFor(() => expect(now.fake.ledger.acceptedCount()).toBe(2), 10_000)
    // What a busy machine holds up comes later and all at once: calls of a worker as well as the fake, which is in this process.
    const lateness = monitorEventLoopDelay({ resolution: 1 })
    lateness.enable()
    await sendTo(now, app.appid, numbered('rated', 400))
    await vi.waitFor(() => expect(now.fake.ledger.acceptedCount()).toBe(402), 60_000)
    lateness.disable()
    const times = now.fake.ledger.sends().map(({ at }) => at)
    const within = times.map((start) => times.filter((at) => at >= start && at < start + 1000).length)
    const lateCalls = 2 * Math.ceil(50 * (lateness.max / 1e9))
    expect(Math.max(...within)).toBeLessThanOrEqual(57 + lateCalls)
    // And it is used: the rate is no lower than nine tenths of what is allowed.
    const most = times.slice(2)
    expect((most.length / ((most.at(-1) ?? 0) - (most[0] ?? 0))) * 1000).toBeGreaterThan(40)
  })
})
