// A failover whose address stays the same: a DNS name or a proxy leads to the new primary, while connections that are open
// stay with the old one, which is a replica now. Nobody tells the clients; each has to notice by what it is answered.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '@wechat-outbox/outbox'
import { askRedis, type LocalRedis, startLocalRedis, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

const WAIT = { timeout: 40_000, interval: 100 }
let dir = ''
let second: LocalRedis
let proxy: TcpProxy
let system: System
let outbox: Outbox
let gatewayUrl = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-failover-'))
  system = await startSystem({ workers: 0 })
  second = await startLocalRedis({ dir })
  proxy = await startTcpProxy({ targetPort: system.redis.port })
  await askRedis(second.port, `REPLICAOF 127.0.0.1 ${system.redis.port}`)
  await vi.waitFor(
    async () => expect(await askRedis(second.port, 'INFO replication')).toContain('link_status:up'),
    WAIT,
  )
  const env = { REDIS_URL: proxy.url('redis') }
  await system.worker(env)
  gatewayUrl = await system.gateway(env)
  outbox = new Outbox({ redis: env.REDIS_URL, appid: APP })
}, 60_000)
afterAll(async () => {
  await outbox.close()
  await system.close()
  await proxy.close()
  await second.stop()
  await rm(dir, { recursive: true, force: true })
}, 60_000)

const post = (content: string) =>
  fetch(`${gatewayUrl}/v1/apps/${APP}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(text('oG-gateway', content)),
  })
const status = async (url: string) => (await fetch(`${url}/readyz`)).status

it('finds the new primary from producer, gateway and worker, and sends each message once', async () => {
  await outbox.send(text('oP-producer', 'before-1'))
  await vi.waitFor(async () => expect(await system.fake.accepted('before-1')).toHaveLength(1), WAIT)
  await askRedis(second.port, 'REPLICAOF NO ONE')
  proxy.retarget(second.port)
  await askRedis(system.redis.port, `REPLICAOF 127.0.0.1 ${second.port}`)
  const contents = Array.from({ length: 20 }, (_, n) => `after-${String(n).padStart(2, '0')}`)
  for (const content of contents) {
    await vi.waitFor(() => outbox.send({ ...text('oP-producer', content), idempotencyKey: content }), {
      ...WAIT,
      timeout: 20_000,
    })
  }
  await vi.waitFor(async () => expect((await post('by-gateway')).status).toBe(202), WAIT)
  await vi.waitFor(async () => expect(await system.fake.accepted('by-gateway')).toHaveLength(1), WAIT)
  await vi.waitFor(async () => expect(await system.fake.accepted('after-19')).toHaveLength(1), WAIT)
  const sent = (await system.fake.sends()).filter(({ rawBody }) => rawBody.includes('after-'))
  expect(sent.map(({ rawBody }) => /after-\d\d/.exec(rawBody)?.[0])).toEqual(contents)
  expect(await status(gatewayUrl)).toBe(200)
  // Nobody has stayed behind, who would miss what is told by publishing; the system's own producer has never been moved.
  await vi.waitFor(async () => expect(await clientsOf(system.redis)).toHaveLength(1), WAIT)
}, 120_000)

async function clientsOf({ port }: LocalRedis): Promise<string[]> {
  const list = `${await askRedis(port, 'CLIENT LIST TYPE NORMAL')}\n${await askRedis(port, 'CLIENT LIST TYPE PUBSUB')}`
  return list.split('\n').filter((line) => line.startsWith('id=') && !line.includes('cmd=client'))
}
