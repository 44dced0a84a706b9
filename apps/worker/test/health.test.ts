import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
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

interface RawRequest {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** As it is given: fetch would choose the name and tidy the path up. */
function askRaw(port: number, { body, ...given }: RawRequest): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, agent: false, ...given }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

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

  it('gives no other web site anything, and repeats nothing of what it was asked', async () => {
    const port = Number(new URL(health.url).port)
    const evil = { host: 'evil.example' }
    const refused = [
      await askRaw(port, { path: '/metrics', headers: evil }),
      await askRaw(port, { path: '/metrics?x=S3CRET', headers: { 'sec-fetch-site': 'cross-site' } }),
      await askRaw(port, { path: '/metrics', method: 'POST', headers: { origin: 'https://evil.example' } }),
      await askRaw(port, { path: '/nowhere/S3CRET', headers: evil }),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    const wrong = [
      await askRaw(port, { path: '/nowhere/S3CRET?token=S3CRET' }),
      await askRaw(port, { path: '/%zz?token=S3CRET' }),
      await askRaw(port, { path: `/${'S3CRET'.repeat(100)}` }),
      await askRaw(port, { path: '/metrics', method: 'DELETE' }),
      await askRaw(port, { path: '/S3CRET', method: 'POST', headers: { 'content-type': 'S3CRET' }, body: 'S3CRET' }),
      await askRaw(port, {
        path: '/healthz',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{S3CRET',
      }),
    ]
    expect(wrong.map(({ status }) => status)).toEqual([404, 400, 404, 404, 415, 400])
    for (const { text } of [...refused, ...wrong]) expect(text).not.toMatch(/S3CRET|evil|zz|metrics\b.*\?/)
    expect((await askRaw(port, { path: '/metrics' })).status).toBe(200)
    // A link may lead here, and a probe asks by whatever address there is.
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await askRaw(port, { path: '/metrics', headers: link })).status).toBe(200)
    expect((await askRaw(port, { path: '/healthz', headers: evil })).status).toBe(200)
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

it('answers where others reach it under addresses and private names, or those that it was told', async () => {
  const metricsAt = async (
    allowedHosts: string | undefined,
    hosts: readonly string[],
  ): Promise<(number | undefined)[]> => {
    const open = await startHealthServer({
      redis,
      registry: createRegistry(),
      isRunning: () => true,
      refused: () => undefined,
      host: '0.0.0.0',
      port: 0,
      allowedHosts,
    })
    const port = Number(new URL(open.url).port)
    const answers = await Promise.all(hosts.map((host) => askRaw(port, { path: '/metrics', headers: { host } })))
    await open.close()
    return answers.map(({ status }) => status)
  }
  const scraped = [
    '10.1.2.3:9464',
    '[fd00::1]:9464',
    'worker-1:9464',
    'w.ns.svc.cluster.local',
    'ip-10-0-0-1.ec2.internal',
  ]
  expect(await metricsAt(undefined, scraped)).toEqual(scraped.map(() => 200))
  expect(await metricsAt(undefined, ['evil.example', 'local.evil.example', '1.2.3.4.evil.example', 'a b'])).toEqual([
    403, 403, 403, 403,
  ])
  expect(
    await metricsAt('metrics.corp.example', ['metrics.corp.example:9464', 'localhost', 'worker-1', '10.1.2.3']),
  ).toEqual([200, 200, 403, 403])
})

it('has a few requests of a connection in progress, and refuses what is far beyond that', async () => {
  const { port } = new URL(health.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write('GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(100))
  const statuses = [...(await text(socket)).matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status)
  expect(statuses).toEqual([...Array.from({ length: 72 }, () => '200'), '429'])
  expect(await (await fetch(`${health.url}/healthz`)).json()).toEqual({ status: 'ok' })
})
