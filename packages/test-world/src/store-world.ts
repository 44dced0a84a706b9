/** A Redis of its own in a folder of its own, and on it what every app works with: a store, and an Outbox. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis, openStore, type RedisClient, type Store, whenReady } from '@wechat-outbox/outbox/engine'
import { type LocalRedis, type LocalRedisOptions, startLocalRedis } from '@wechat-outbox/sandbox'

export interface StoreWorld {
  readonly redis: LocalRedis
  readonly store: Store
  readonly outbox: Outbox
  /** Another connection, which ends with the world. */
  connect(): Promise<RedisClient>
  close(): Promise<void>
}

export interface StoreWorldOptions extends Partial<LocalRedisOptions> {
  /** Of the Outbox. */
  readonly appid: string
}

/** What a machine may take on which everything else runs as well. */
const READY_MS = 10_000

export async function startStoreWorld({ appid, ...options }: StoreWorldOptions): Promise<StoreWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-test-'))
  const redis = await startLocalRedis({ dir, ...options })
  const clients: RedisClient[] = []
  const connect = async (): Promise<RedisClient> => {
    const client = connectRedis(redis.url, 'work')
    client.on('error', () => undefined)
    clients.push(client)
    await whenReady(client, READY_MS)
    return client
  }
  const store = await openStore(await connect())
  const outbox = new Outbox({ redis: redis.url, appid })
  return {
    redis,
    store,
    outbox,
    connect,
    async close() {
      await outbox.close()
      for (const client of clients) client.disconnect()
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
