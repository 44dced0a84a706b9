import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '@wechat-outbox/outbox'
import {
  connectRedis,
  openStore,
  pauseApp,
  type RedisClient,
  type Store,
  whenReady,
} from '@wechat-outbox/outbox/engine'
import { type LocalRedis, startLocalRedis, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addBacklogMetrics } from '../src/index.ts'

const APPS = ['wx0000000000000001', 'wx0000000000000002']
const HELD = ['wx0000000000000003', 'wx0000000000000004']

let dir: string
let server: LocalRedis
let proxy: TcpProxy
let client: RedisClient
let store: Store
let outbox: Outbox
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-metrics-'))
  server = await startLocalRedis({ dir })
  proxy = await startTcpProxy({ targetPort: server.port })
  client = connectRedis(proxy.url('redis'), 'work')
  client.on('error', () => undefined)
  await whenReady(client, 5000)
  store = await openStore(client)
  outbox = new Outbox({ redis: server.url, appid: 'wx0000000000000001' })
  await outbox.send({ touser: 'o-1', msgtype: 'text', text: { content: 'x' } })
})
afterAll(async () => {
  await outbox?.close()
  client?.disconnect()
  await proxy?.close()
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const samples = async (registry: Registry, name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(name))

it('tells of every app what waits and for how long', async () => {
  const registry = new Registry()
  addBacklogMetrics(registry, { store: async () => store, apps: async () => APPS })
  const depth = await samples(registry, 'wxo_queue_depth')
  expect(depth).toHaveLength(APPS.length * 10)
  expect(depth).toContain(`wxo_queue_depth{app="${APPS[0]}",queue="send",state="waiting"} 1`)
  expect(depth).toContain(`wxo_queue_depth{app="${APPS[1]}",queue="dead-letter",state="failed"} 0`)
  const [first = '', second = ''] = await samples(registry, 'wxo_oldest_message_age_seconds')
  expect(Number(first.split(' ')[1])).toBeGreaterThan(0)
  expect(second).toBe(`wxo_oldest_message_age_seconds{app="${APPS[1]}"} 0`)
  // The message of the first app waits, and no worker runs here; which apps are asked for does not matter.
  expect(await samples(registry, 'wxo_unserved_messages')).toEqual([`wxo_unserved_messages{app="${APPS[0]}"} 1`])
  expect(await samples(registry, 'wxo_redis_up')).toEqual(['wxo_redis_up 1'])
})

it('tells of an app what holds it: a fault, an operator, and a pause made with BullMQ, each by itself', async () => {
  const [suspended = '', paused = ''] = HELD
  const reason = JSON.stringify({ errcode: 40164, name: 'ip-not-allowed' })
  await pauseApp(store, suspended)
  await client.hset(`{wxo:${suspended}}:hold`, { kind: 'suspended', cause: 'send', reason, since: 1, until: 2 })
  await client.hset(`{wxo:${paused}}:send:meta`, 'paused', '1')
  const registry = new Registry()
  addBacklogMetrics(registry, { store: async () => store, apps: async () => [...APPS, ...HELD] })
  expect(await samples(registry, 'wxo_app_suspended')).toEqual([
    `wxo_app_suspended{app="${suspended}",reason="ip-not-allowed"} 1`,
  ])
  expect(await samples(registry, 'wxo_app_paused')).toEqual([
    `wxo_app_paused{app="${suspended}",by="operator"} 1`,
    `wxo_app_paused{app="${paused}",by="bullmq"} 1`,
  ])
})

it('tells how full Redis is, and nothing of it where INFO is refused', async () => {
  const memory = async (at: { store: () => Promise<Store> }) => {
    const registry = new Registry()
    addBacklogMetrics(registry, { ...at, apps: async () => [] })
    return (await samples(registry, 'wxo_redis_memory')).map((line) => line.split(' '))
  }
  await client.config('SET', 'maxmemory', '1gb')
  const told = [
    ['wxo_redis_memory_bytes', expect.stringMatching(/^[1-9]\d{5,8}$/)],
    ['wxo_redis_memory_limit_bytes', String(2 ** 30)],
  ]
  expect(await memory({ store: async () => store })).toEqual(told)
  await client.acl('SETUSER', 'uninformed', 'on', 'nopass', '~*', '+@all', '-info')
  const uninformed = connectRedis(server.url.replace('//', '//uninformed:any@'), 'work')
  try {
    await whenReady(uninformed, 5000)
    const silent = await openStore(uninformed)
    expect(await memory({ store: async () => silent })).toEqual([])
  } finally {
    uninformed.disconnect()
  }
})

it('tells what waits for receivers of callbacks, and which of them are held', async () => {
  const key = (name: string): string => `{wxo:${APPS[1]}}:callback:${name}`
  await client.lpush(key('wait'), 'c-1', 'c-2')
  await client.hset(key('hold'), { kind: 'gone' })
  const registry = new Registry()
  addBacklogMetrics(registry, { store: async () => store, apps: async () => APPS })
  expect(await samples(registry, 'wxo_queue_depth')).toContain(
    `wxo_queue_depth{app="${APPS[1]}",queue="callback",state="waiting"} 2`,
  )
  expect(await samples(registry, 'wxo_callbacks_held')).toEqual([
    `wxo_callbacks_held{app="${APPS[1]}",reason="gone"} 1`,
  ])
  await client.del(key('wait'), key('hold'))
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
  expect(await samples(registry, 'wxo_queue_depth')).toHaveLength(20)
})

it('answers while the connection says nothing, although commands on it wait for ever', async () => {
  const registry = new Registry()
  addBacklogMetrics(registry, { store: async () => store, apps: async () => APPS })
  proxy.stall(true)
  expect(await samples(registry, 'wxo_redis_up')).toEqual(['wxo_redis_up 0'])
  proxy.stall(false)
  await expect.poll(() => samples(registry, 'wxo_redis_up'), { timeout: 15_000 }).toEqual(['wxo_redis_up 1'])
})
