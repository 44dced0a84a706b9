import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, type RedisClient, whenReady } from '@wechat-outbox/outbox/engine'
import { createRegistry } from '@wechat-outbox/runtime'
import { type LocalRedis, startLocalRedis, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startHealthServer } from '../src/health.ts'

let dir = ''
let server: LocalRedis
let proxy: TcpProxy
let redis: RedisClient
let running = true
let refused: number | undefined
let health: Awaited<ReturnType<typeof startHealthServer>>
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-worker-health-'))
  server = await startLocalRedis({ dir })
  proxy = await startTcpProxy({ targetPort: server.port })
  redis = connectRedis(proxy.url('redis'), 'work')
  redis.on('error', () => undefined)
  await whenReady(redis, 5000)
  health = await startHealthServer({
    redis,
    registry: createRegistry(),
    isRunning: () => running,
    refused: () => refused,
    host: '127.0.0.1',
    port: 0,
  })
})
afterAll(async () => {
  await health.close()
  redis.disconnect()
  await proxy.close()
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})

async function ask(path: string): Promise<{ code: number; body: unknown }> {
  const response = await fetch(health.url + path)
  return { code: response.status, body: await response.json() }
}
const alive = { code: 200, body: { status: 'ok' } }
const ready = { code: 200, body: { status: 'ready' } }
const notReady = { code: 503, body: { status: 'redis is not available' } }

describe('health', () => {
  it('is good while Redis answers', async () => {
    expect(health.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await ask('/healthz')).toEqual(alive)
    expect(await ask('/readyz')).toEqual(ready)
  })

  it('is not ready before messages are fetched, nor once that has ended', async () => {
    running = false
    expect(await ask('/readyz')).toEqual({ code: 503, body: { status: 'starting or ending' } })
    expect(await ask('/healthz')).toEqual(alive)
    running = true
    expect(await ask('/readyz')).toEqual(ready)
  })

  it('is not ready while Redis refuses to record what came of messages', async () => {
    refused = 3
    expect(await ask('/readyz')).toEqual({ code: 503, body: { status: 'redis refuses to record 3 outcomes' } })
    expect(await ask('/healthz')).toEqual(alive)
    refused = 0
    expect(await ask('/readyz')).toEqual({ code: 503, body: { status: 'redis refuses to hand out messages' } })
    refused = undefined
    expect(await ask('/readyz')).toEqual(ready)
  })

  it('is answered at nothing else', async () => {
    expect((await ask('/')).code).toBe(404)
    expect((await ask('/metrics/x')).code).toBe(404)
  })

  it('tells a Redis that is silent, and recovers', async () => {
    proxy.stall(true)
    expect(await ask('/readyz')).toEqual(notReady)
    expect(await ask('/healthz')).toEqual(alive)
    proxy.stall(false)
    await vi.waitFor(async () => expect(await ask('/readyz')).toEqual(ready), 10_000)
  })

  it('tells a Redis that has gone, and recovers', async () => {
    await proxy.refuse(true)
    proxy.resetAll()
    await vi.waitFor(async () => expect(await ask('/readyz')).toEqual(notReady), 5000)
    expect(await ask('/healthz')).toEqual(alive)
    await proxy.refuse(false)
    await vi.waitFor(async () => expect(await ask('/readyz')).toEqual(ready), 10_000)
  })
})
