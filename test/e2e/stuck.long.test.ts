// A worker that has stopped fetching is worse than one that has died: everything looks well and nothing is sent. This is
// the whole way from a road that swallows new connections to a process that ends for its supervisor. It takes the
// watchdog's half minute, so it is a long test.
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox'
import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
let road: TcpProxy
let redis: RedisClient
beforeEach(async () => {
  system = await startSystem({ workers: 0 })
  road = await startTcpProxy({ targetPort: system.redis.port })
  redis = connectRedis(system.redis.url, 'operate')
})
afterEach(async () => {
  redis.disconnect()
  await road.close()
  await system.close()
})

/** The connections on which workers wait for something to fetch. */
async function fetching(): Promise<string[]> {
  const list = String(await redis.call('CLIENT', 'LIST'))
  const waiting = list.split('\n').filter((line) => line.includes(' cmd=bzpopmin '))
  return waiting.flatMap((line) => /^id=(\d+) /.exec(line)?.[1] ?? [])
}

/** Whatever waits for work has its connection cut, and the one that it makes instead is accepted and never answered. */
async function cutOffFetching(): Promise<void> {
  road.stallNew(true)
  const before = road.connections()
  const waiting = await fetching()
  for (const id of waiting) await redis.call('CLIENT', 'KILL', 'ID', id)
  await vi.waitFor(() => expect(road.connections()).toBe(before), 5000)
  expect(await fetching()).toEqual([])
}

it('a worker whose fetch hangs while work waits says so and ends with 1, and the next one does the work', async () => {
  const worker = await system.worker({ REDIS_URL: road.url('redis') })
  const before = await system.outbox.send(text('o-before', 'before'))
  const isDelivered = async (id: string) => expect((await system.outbox.status(id))?.status).toBe('delivered')
  await vi.waitFor(() => isDelivered(before.id), 10_000)
  await vi.waitFor(async () => expect(await fetching()).toHaveLength(2), 10_000)
  await cutOffFetching()
  const { id } = await system.outbox.send(text('o-waits', 'waits'))
  // By its own account the process is in good health: the connections it looks with are not the one it fetches with.
  const [, health = ''] = /"url":"(http[^"]+)"/.exec(worker.stdout()) ?? []
  expect((await fetch(`${health}/readyz`)).status).toBe(200)
  expect(await worker.exited).toEqual({ code: 1, signal: null })
  const fault = worker
    .stdout()
    .split('\n')
    .find((line) => line.includes('"process.fault"'))
  expect(fault).toContain(`work waits for ${APP}, and none is fetched`)
  expect((await system.outbox.status(id))?.status).toBe('queued')
  await system.worker()
  await vi.waitFor(() => isDelivered(id), 10_000)
}, 120_000)
