/**
 * A Redis that refuses settlements, for tests that let other things happen between a refusal and its end: each refused
 * settlement has a settler of its own, behind a proxy that answers it with an error until it is taken.
 */
import { type RedisProxy, startRedisProxy } from '@wechat-outbox/sandbox'
import { vi } from 'vitest'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import type { Settled, Settler } from '../../src/worker/settler.ts'
import { settlerOn } from './hand.ts'
import { WAIT_MS } from './world.ts'

export interface RefusingRedis {
  /**
   * Settles by a settler that Redis answers with an error. `refused` resolves when it has heard so, with undefined; or with
   * what came of it all the same, where the client repeats such a command by itself (NOSCRIPT).
   */
  settle(
    token: string,
    error: string,
    settle: (settler: Settler) => Promise<Settled>,
  ): { readonly refused: Promise<Settled | undefined> }
  /** Lets Redis take the settlement of this run. */
  take(token: string): Promise<Settled>
  /** The worker of this run has died, and what it kept with it. */
  forget(token: string): void
  close(): Promise<void>
}

export async function createRefusingRedis(url: string, appidOf: () => string): Promise<RefusingRedis> {
  const refused = new Map<string, string>()
  let appid = ''
  const kept = new Map<string, { settler: Settler; settled: Promise<Settled> }>()
  const proxy: RedisProxy = await startRedisProxy({
    targetPort: Number(new URL(url).port),
    onCommand(command) {
      const found = [...refused].find(([token]) => command.includes(token))
      if (found === undefined) return undefined
      const [token, error] = found
      // A client that does not know a script sends it whole, and that is taken.
      if (error.startsWith('NOSCRIPT')) refused.delete(token)
      return { refuse: error }
    },
  })
  const client = connectRedis(proxy.url, 'work')
  client.on('error', () => undefined)
  await whenReady(client, 5000)
  const store = await openStore(client)
  return {
    settle(token, error, settle) {
      if (appid !== appidOf()) refused.clear()
      appid = appidOf()
      refused.set(token, error)
      const settler = settlerOn(store, () => true, { appid })
      const settled = settle(settler)
      kept.set(token, { settler, settled })
      const heard = vi.waitUntil(() => settler.trouble(), { timeout: WAIT_MS, interval: 1 }).then(() => undefined)
      return { refused: Promise.race([heard, settled]) }
    },
    async take(token) {
      refused.delete(token)
      const settled = await kept.get(token)?.settled
      kept.delete(token)
      if (settled === undefined) throw new Error('nothing of this run is kept')
      return settled
    },
    forget(token) {
      // What is on its way at this moment is refused, too: nobody would know of it.
      kept.get(token)?.settler.abandon()
      kept.delete(token)
    },
    async close() {
      client.disconnect()
      await proxy.close()
    },
  }
}
