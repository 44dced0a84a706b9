import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis, openStore, type RedisClient, type Store, whenReady } from '@wechat-outbox/outbox/engine'
import { type LocalRedis, startLocalRedis, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addBacklogMetrics } from '../src/index.ts'

const APPS = ['wx0000000000000001', 'wx0000000000000002']

let dir: string
let server: LocalRedis
let road: TcpProxy
let client: RedisClient
let store: Store
let outbox: Outbox
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-metrics-'))
  server = await startLocalRedis({ dir })
  road = await startTcpProxy({ targetPort: server.port })
  client = connectRedis(road.url('redis'), 'work')
  client.on('error', () => undefined)
  await whenReady(client, 5000)
  store = await openStore(client)
  outbox = new Outbox({ redis: server.url, appid: 'wx0000000000000001' })
  await outbox.send({ touser: 'o-1', msgtype: 'text', text: { content: 'x' } })
})
afterAll(async () => {
  await outbox?.close()
  client?.disconnect()
  await road?.close()
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const samples = async (registry: Registry, name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(name))

it('tells of every app what waits and for how long', async () => {
  const registry = new Registry()
  addBacklogMetrics(registry, {
    store: async () => store,
    apps: async () => APPS,
    suspensions: async (_, apps) => new Map([[apps[1] ?? '', 'ip-not-allowed']]),
  })
  const depth = await samples(registry, 'wxo_queue_depth')
  expect(depth).toHaveLength(APPS.length * 7)
  expect(depth).toContain(`wxo_queue_depth{app="${APPS[0]}",queue="send",state="waiting"} 1`)
  expect(depth).toContain(`wxo_queue_depth{app="${APPS[1]}",queue="dead-letter",state="failed"} 0`)
  const [first = '', second = ''] = await samples(registry, 'wxo_oldest_message_age_seconds')
  expect(Number(first.split(' ')[1])).toBeGreaterThan(0)
  expect(second).toBe(`wxo_oldest_message_age_seconds{app="${APPS[1]}"} 0`)
  expect(await samples(registry, 'wxo_app_suspended')).toEqual([
    `wxo_app_suspended{app="${APPS[1]}",reason="ip-not-allowed"} 1`,
  ])
  // The message of the first app waits, and no worker runs here; which apps are asked for does not matter.
  expect(await samples(registry, 'wxo_unserved_messages')).toEqual([`wxo_unserved_messages{app="${APPS[0]}"} 1`])
  expect(await samples(registry, 'wxo_redis_up')).toEqual(['wxo_redis_up 1'])
})

it('asks Redis once for all gauges of several scrapes', async () => {
  const registry = new Registry()
  let reads = 0
  addBacklogMetrics(registry, { store: async () => store, apps: async () => (reads++, APPS) })
  await Promise.all([registry.metrics(), registry.metrics()])
  await registry.metrics()
  expect(reads).toBe(1)
})

it('answers with what it has while Redis is silent', async () => {
  const registry = new Registry()
  let silent = false
  addBacklogMetrics(registry, {
    store: () => (silent ? new Promise<Store>(() => undefined) : Promise.resolve(store)),
    apps: async () => APPS,
  })
  expect(await samples(registry, 'wxo_redis_up')).toEqual(['wxo_redis_up 1'])
  silent = true
  const hanging = new Registry()
  addBacklogMetrics(hanging, { store: () => new Promise<Store>(() => undefined), apps: async () => APPS })
  expect(await samples(hanging, 'wxo_redis_up')).toEqual(['wxo_redis_up 0'])
  expect(await samples(hanging, 'wxo_queue_depth')).toEqual([])
  expect(await samples(registry, 'wxo_queue_depth')).toHaveLength(14)
})

it('answers while the connection says nothing, although commands on it wait for ever', async () => {
  const registry = new Registry()
  addBacklogMetrics(registry, { store: async () => store, apps: async () => APPS })
  road.stall(true)
  expect(await samples(registry, 'wxo_redis_up')).toEqual(['wxo_redis_up 0'])
  road.stall(false)
  await expect.poll(() => samples(registry, 'wxo_redis_up'), { timeout: 15_000 }).toEqual(['wxo_redis_up 1'])
})
