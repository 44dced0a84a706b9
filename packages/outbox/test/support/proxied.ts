/** Clients of one test, also one whose commands the test answers in Redis's place. */
import { type RedisProxy, startRedisProxy } from '@wechat-outbox/sandbox'
import { onTestFinished } from 'vitest'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { WAIT_MS, type World } from './world.ts'

/** Ready; it ends with the test. */
export async function connect(url: string): Promise<RedisClient> {
  const client = connectRedis(url, 'work')
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  await whenReady(client, WAIT_MS)
  return client
}

/** Proxy and client end with the test. */
export async function connectThroughProxy({
  url,
}: Pick<World, 'url'>): Promise<{ proxy: RedisProxy; client: RedisClient }> {
  const proxy = await startRedisProxy({ targetPort: Number(new URL(url).port) })
  onTestFinished(() => proxy.close())
  return { proxy, client: await connect(proxy.url) }
}
