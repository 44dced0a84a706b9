import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocalRedis, startTcpProxy } from '@wechat-outbox/sandbox'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import { createNews, type News } from '../../src/redis/pubsub.ts'
import { openStore } from '../../src/redis/store.ts'
import { createTokenStore } from '../../src/tokens/token-store.ts'
import { APP, sharedWorld } from '../support/world.ts'

const world = sharedWorld()

function newsOver(url: string): News {
  const client = connectRedis(url, 'work')
  client.on('error', () => undefined)
  const news = createNews(client)
  onTestFinished(() => news.close())
  return news
}

async function proxied() {
  const proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  onTestFinished(() => proxy.close())
  return proxy
}

function listenTo(news: News, channel: string) {
  const heard: (string | undefined)[] = []
  const end = news.listen(channel, (message) => heard.push(message))
  return { heard, end, until: (all: unknown[]) => vi.waitFor(() => expect(heard).toEqual(all), 10_000) }
}

describe('whoever listens', () => {
  it('is told to look once the subscription stands, and then hears every message of its channel', async () => {
    const news = newsOver(world.url)
    const [one, two] = [listenTo(news, 'a'), listenTo(news, 'b')]
    await Promise.all([one.until([undefined]), two.until([undefined])])
    await world.redis.publish('a', '1')
    await world.redis.publish('b', '2')
    await world.redis.publish('c', '3')
    await Promise.all([one.until([undefined, '1']), two.until([undefined, '2'])])
  })

  it('shares one connection with everybody else in its process', async () => {
    const proxy = await proxied()
    const news = newsOver(proxy.url('redis'))
    const all = Array.from({ length: 50 }, (_, n) => listenTo(news, `many-${n}`))
    await Promise.all(all.map((one) => one.until([undefined])))
    expect(proxy.connections()).toBe(1)
  })

  it('hears nothing more after its end, while others go on', async () => {
    const news = newsOver(world.url)
    const [one, two] = [listenTo(news, 'ends'), listenTo(news, 'ends')]
    await vi.waitFor(() => expect(two.heard.length).toBeGreaterThan(0), 10_000)
    one.end()
    const before = one.heard.length
    await world.redis.publish('ends', 'later')
    await vi.waitFor(() => expect(two.heard).toContain('later'), 10_000)
    expect(one.heard).toHaveLength(before)
    two.end()
    await vi.waitFor(async () => expect(await world.redis.pubsub('NUMSUB', 'ends')).toEqual(['ends', 0]), 10_000)
  })

  it('is told to look again after the connection was lost, because something may have been said meanwhile', async () => {
    const proxy = await proxied()
    const one = listenTo(newsOver(proxy.url('redis')), 'lost')
    await one.until([undefined])
    proxy.resetAll()
    await one.until([undefined, undefined])
    await world.redis.publish('lost', 'again')
    await one.until([undefined, undefined, 'again'])
  })
})

describe('on a cluster', () => {
  it('a stored token is told to whoever listens', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'wxo-news-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    const server = await startLocalRedis({
      dir,
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    })
    onTestFinished(() => server.stop())
    const node = connectRedis(server.url, 'work')
    onTestFinished(() => node.disconnect())
    await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await vi.waitFor(async () => expect(await node.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'), 10_000)

    const url = `${server.url},${server.url}`
    const client = connectRedis(url, 'work')
    onTestFinished(() => client.disconnect())
    const store = createTokenStore(await openStore(client), APP, newsOver(url))
    const heard: (number | undefined)[] = []
    onTestFinished(store.listen((version) => heard.push(version)))
    await vi.waitFor(() => expect(heard).toEqual([undefined]), 10_000)
    const claimed = await store.claim({ mode: 'need', lockMs: 10_000, aheadMs: 0 })
    if (claimed.kind !== 'lock') throw new Error('no lock')
    await claimed.lock.store({ value: 'one', parameter: 'access_token', lifetimeMs: 60_000 })
    await vi.waitFor(() => expect(heard).toEqual([undefined, 1]), 10_000)
    await claimed.lock.release()
    expect(await store.read()).toMatchObject({ value: 'one', version: 1 })
  })
})
