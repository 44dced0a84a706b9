import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { Queue } from 'bullmq'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OutboxError } from '../../src/errors.ts'
import { answersInTime, connectRedis, parseRedisUrl, whenReady } from '../../src/redis/connection.ts'

const single = (node: object) => ({ kind: 'single', node })

describe('parseRedisUrl', () => {
  it.each([
    ['redis://h', { host: 'h', port: 6379 }],
    ['redis://h:7000/', { host: 'h', port: 7000 }],
    ['redis://h:7000/3', { host: 'h', port: 7000, db: 3 }],
    ['redis://', { host: '127.0.0.1', port: 6379 }],
    [' redis://h ', { host: 'h', port: 6379 }],
    ['redis://:p%40ss@h', { host: 'h', port: 6379, password: 'p@ss' }],
    ['redis://u:p%2Fs%23@h:1/2', { host: 'h', port: 1, username: 'u', password: 'p/s#', db: 2 }],
    ['redis://u@h', { host: 'h', port: 6379, username: 'u' }],
    ['rediss://h:6380', { host: 'h', port: 6380, tls: {} }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis://[::1]', { host: '::1', port: 6379 }],
    ['rediss://u:p@[2001:db8::1]:1/4', { host: '2001:db8::1', port: 1, username: 'u', password: 'p', db: 4, tls: {} }],
  ])('reads one server: %s', (url, node) => {
    expect(parseRedisUrl(url)).toEqual(single(node))
  })

  it('reads a cluster', () => {
    expect(parseRedisUrl('redis://a:1, redis://b:2,redis://[::1]:3')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: '::1', port: 3 },
      ],
    })
    expect(parseRedisUrl('rediss://u:p@a:1,rediss://u:p@b:2')).toMatchObject({
      kind: 'cluster',
      nodes: [{ tls: {}, password: 'p' }, { tls: {} }],
    })
  })

  it('reads sentinels, with or without a login for the master', () => {
    const two = [
      { host: 'a', port: 1 },
      { host: 'b', port: 26379 },
    ]
    expect(parseRedisUrl('redis+sentinel://a:1,b/my-master.1')).toEqual({
      kind: 'sentinel',
      sentinels: two,
      master: 'my-master.1',
      login: {},
    })
    expect(parseRedisUrl('redis+sentinel://u:p%40ss@a:1,b/m')).toEqual({
      kind: 'sentinel',
      sentinels: two,
      master: 'm',
      login: { username: 'u', password: 'p@ss' },
    })
    expect(parseRedisUrl('redis+sentinel://:p@[::1]:5/m')).toEqual({
      kind: 'sentinel',
      sentinels: [{ host: '::1', port: 5 }],
      master: 'm',
      login: { password: 'p' },
    })
  })

  it('gives a sentinel with an address of IPv6 the port of sentinels', () => {
    expect(parseRedisUrl('redis+sentinel://[::1]/m')).toMatchObject({ sentinels: [{ host: '::1', port: 26379 }] })
  })

  it.each([
    '',
    'h:6379',
    'S3CRET',
    'http://u:S3CRET@h',
    'redis:S3CRET',
    'redis://u:S3CRET@h/db',
    'redis://u:S3CRET@h/1/2',
    'redis://u:S3CRET@h:99999',
    'redis://u:S3CRET@h h',
    'redis://u:S3CRET%@h',
    'redis://a:1,',
    'redis://a:1,http://u:S3CRET@b',
    'redis+sentinel://u:S3CRET@a:1',
    'redis+sentinel://u:S3CRET@a:1/',
    'redis+sentinel://u:S3CRET@/m',
    'redis+sentinel://u:S3CRET@a:x/m',
    'redis+sentinel://:S3CRET#@a/m',
    'redis+sentinel://:S3CRET?@a/m',
    'redis+sentinel://u:S3CRET%@a/m',
    'redis+sentinel://u?:S3CRET@a/m',
    'redis+sentinel://:S3CRET@a:1:2/m',
  ])('refuses %s without repeating it', (url) => {
    const error = thrownBy(() => parseRedisUrl(url))
    expect(error).toBeInstanceOf(OutboxError)
    expect(error).toMatchObject({ code: 'WXO_CONFIG' })
    expect(everythingOf(error)).not.toContain('S3CRET')
  })
})

describe('whenReady', () => {
  it('gives up after its time, and the connection goes on trying', async () => {
    const client = connectRedis('redis://127.0.0.1:1', 'produce')
    client.on('error', () => undefined)
    await expect(whenReady(client, 50)).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    expect(client.listenerCount('ready')).toBe(0)
    expect(client.status).not.toBe('end')
    client.disconnect()
  })

  it('lets many wait for one connection without a word of warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const client = connectRedis('redis://127.0.0.1:1', 'produce')
    client.on('error', () => undefined)
    const waits = Array.from({ length: 50 }, () => whenReady(client, 50))
    // It changes the limit of the client it is given.
    const queue = new Queue('q', { connection: client, skipVersionCheck: true })
    queue.on('error', () => undefined)
    await Promise.allSettled(waits)
    process.off('warning', note)
    client.disconnect()
    expect(warnings).toEqual([])
  })
})

describe('answersInTime', () => {
  it('tells a Redis that answers from one that is silent, one that goes while it is asked and one that is away', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'wxo-redis-'))
    const server = await startLocalRedis({ dir })
    const proxy = await startTcpProxy({ targetPort: server.port })
    const client = connectRedis(proxy.url('redis'), 'work')
    client.on('error', () => undefined)
    onTestFinished(async () => {
      client.disconnect()
      await proxy.close()
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    })
    expect(await answersInTime(client)).toBe(false)
    await whenReady(client, 5000)
    expect(await answersInTime(client)).toBe(true)
    proxy.stall(true)
    expect(await answersInTime(client)).toBe(false)
    const asked = answersInTime(client)
    client.disconnect()
    expect(await asked).toBe(false)
    expect(await answersInTime(client)).toBe(false)
  })
})

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

/** Its message, stack and every own property, as a logger may print them. */
function everythingOf(error: unknown): string {
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error as object, name)))
  return [String(error), ...own].join('\n')
}
