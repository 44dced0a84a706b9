// Whether Redis takes messages: one that answers and refuses, by real settings; one that is silent, gone, or away.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askRedis, type LocalRedis, startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { readReadiness } from '../../src/redis/readiness.ts'

const WAIT = { timeout: 20_000, interval: 20 }
let dir = ''
let redis: LocalRedis
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-readiness-'))
  redis = await startLocalRedis({ dir })
  await askRedis(redis.port, 'CONFIG SET busy-reply-threshold 20')
})
afterAll(async () => {
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

async function open(url: string, use: 'work' | 'produce' = 'work'): Promise<RedisClient> {
  const client = connectRedis(url, use)
  onTestFinished(() => client.disconnect())
  await whenReady(client, 10_000)
  return client
}

const busy = (): void => {
  const other = connectRedis(redis.url, 'operate')
  onTestFinished(() => other.disconnect())
  void other.eval('while true do end', 0).catch(() => undefined)
}

describe('a Redis that answers', () => {
  it.each<[string, string | (() => void), string]>([
    ['wants replicas', 'CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-to-write 0'],
    ['is full', 'CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 0'],
    ['forbids scripts', 'ACL SETUSER default -eval -evalsha', 'ACL SETUSER default +eval +evalsha'],
    ['is busy with a script', busy, 'SCRIPT KILL'],
    ['is a replica', 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'],
  ])('and %s is not ready, until it takes messages again', async (_what, refuse, take) => {
    const clients = await Promise.all([open(redis.url), open(redis.url, 'produce')])
    expect(await Promise.all(clients.map(readReadiness))).toEqual(['ready', 'ready'])
    if (typeof refuse === 'string') expect(await askRedis(redis.port, refuse)).toBe('+OK')
    else refuse()
    // A replica is left as soon as one has met it, and is away from then on.
    for (const client of clients) {
      await vi.waitFor(async () => expect(['refuses', 'away']).toContain(await readReadiness(client)), WAIT)
    }
    expect(await askRedis(redis.port, take)).toBe('+OK')
    for (const client of clients) await vi.waitFor(async () => expect(await readReadiness(client)).toBe('ready'), WAIT)
  })

  it('is asked once for all who want to know at the same time', async () => {
    const client = await open(redis.url)
    await askRedis(redis.port, 'CONFIG RESETSTAT')
    expect(await Promise.all(Array.from({ length: 50 }, () => readReadiness(client)))).toEqual(Array(50).fill('ready'))
    expect(await askRedis(redis.port, 'INFO commandstats')).toMatch(/cmdstat_eval:calls=1,/)
  })
})

it('a Redis that is away, silent, or goes while it is asked is away', async () => {
  const proxy = await startTcpProxy({ targetPort: redis.port })
  onTestFinished(() => proxy.close())
  const client = connectRedis(proxy.url('redis'), 'work')
  onTestFinished(() => client.disconnect())
  expect(await readReadiness(client)).toBe('away')
  await whenReady(client, 10_000)
  expect(await readReadiness(client)).toBe('ready')
  proxy.stall(true)
  expect(await readReadiness(client)).toBe('away')
  const asked = readReadiness(client)
  client.disconnect()
  expect(await asked).toBe('away')
  expect(await readReadiness(client)).toBe('away')
})
