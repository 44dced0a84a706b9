/**
 * A store on a connection that is opened when it is first needed, and waited for no longer than a producer may wait. It
 * queues nothing while Redis is away and repeats nothing afterwards, so what it is asked to do happens once or not at all.
 */
import { CONNECT_WAIT_MS, connectRedis, type RedisClient, whenReady } from './connection.ts'
import { openStore, type Store } from './store.ts'

export interface LazyStore {
  /** @throws OutboxError WXO_UNAVAILABLE while Redis is away, WXO_CONFIG for a URL that is none */
  open(): Promise<Store>
  close(): Promise<void>
}

export function lazyStore(url: string): LazyStore {
  let client: RedisClient | undefined
  let store: Promise<Store> | undefined
  return {
    async open() {
      if (client === undefined) {
        client = connectRedis(url, 'produce')
      }
      await whenReady(client, CONNECT_WAIT_MS)
      store ??= openStore(client).catch((error: unknown) => {
        store = undefined
        throw error
      })
      return store
    },
    async close() {
      const open = client
      await open?.quit().catch(() => open.disconnect())
    },
  }
}
