// A worker that has stopped fetching is worse than one that has died: everything looks well and nothing is sent. Where a
// connection is to blame it heals by itself; where it does not, the process ends for its supervisor. Both take as long as a
// watchdog's patience, so these are long tests.
import { join } from 'node:path'
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
let proxy: TcpProxy
let redis: RedisClient
beforeEach(async () => {
  system = await startSystem({ workers: 0 })
  proxy = await startTcpProxy({ targetPort: system.redis.port })
  redis = connectRedis(system.redis.url, 'operate')
})
afterEach(async () => {
  redis.disconnect()
  await proxy.close()
  await system.close()
})

const isDelivered = async (id: string) => expect((await system.outbox.status(id))?.status).toBe('delivered')

const LOOP_ENDS = join(import.meta.dirname, 'support/ending-loop.ts')

/** A worker that has delivered a message and now waits, behind a proxy of its own. With SIGUSR2 it fetches no more. */
async function waitingWorker() {
  const worker = await system.worker({ REDIS_URL: proxy.url('redis'), NODE_OPTIONS: `--import=${LOOP_ENDS}` })
  const { id } = await system.outbox.send(text('o-before', 'before'))
  await vi.waitFor(() => isDelivered(id), 10_000)
  await vi.waitFor(async () => expect(await fetching()).toHaveLength(1), 10_000)
  return worker
}

/** The connections on which workers wait for something to fetch. */
async function fetching(): Promise<string[]> {
  const list = String(await redis.call('CLIENT', 'LIST'))
  const waiting = list.split('\n').filter((line) => line.includes(' cmd=bzpopmin '))
  return waiting.flatMap((line) => /^id=(\d+) /.exec(line)?.[1] ?? [])
}

it('a worker that fetches nothing while work waits says so and ends with 1, and the next one does the work', async () => {
  const worker = await waitingWorker()
  process.kill(worker.pid, 'SIGUSR2')
  await worker.waitForLine(/the loop has ended/)
  const { id } = await system.outbox.send(text('o-waits', 'waits'))
  // By its own account the process is in good health.
  const [, health = ''] = /"url":"(http[^"]+)"/.exec(worker.stdout()) ?? []
  expect((await fetch(`${health}/readyz`)).status).toBe(200)
  expect(await worker.exited).toEqual({ code: 1, signal: null })
  const lines = worker.stdout().split('\n')
  const fault = lines.find((line) => line.includes('"process.fault"'))
  expect(fault).toContain(`work waits for ${APP}, and none is fetched`)
  expect((await system.outbox.status(id))?.status).toBe('queued')
  await system.worker()
  await vi.waitFor(() => isDelivered(id), 10_000)
}, 120_000)

it('a connection for fetching that was cut, in whose place nothing answers, holds no message up', async () => {
  await waitingWorker()
  proxy.stallNew(true)
  for (const id of await fetching()) await redis.call('CLIENT', 'KILL', 'ID', id)
  await vi.waitFor(async () => expect(await fetching()).toEqual([]), 5000)
  const { id } = await system.outbox.send(text('o-waits', 'waits'))
  await vi.waitFor(() => isDelivered(id), 20_000)
  proxy.stallNew(false)
  await vi.waitFor(async () => expect(await fetching()).toHaveLength(1), 30_000)
}, 120_000)

it('connections that fall silent, all of them and without an end, are replaced', async () => {
  const worker = await waitingWorker()
  proxy.stallOpen()
  const { id } = await system.outbox.send(text('o-waits', 'waits'))
  await vi.waitFor(() => isDelivered(id), { timeout: 60_000, interval: 200 })
  expect(worker.stdout()).not.toContain('process.fault')
}, 120_000)
