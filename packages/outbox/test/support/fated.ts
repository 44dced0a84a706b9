/**
 * A worker moved by hand whose Redis answers as a test wants it: behind a proxy, each settlement meets the fates that were
 * set for its run, one after the other, and is passed on when there are none left.
 */
import { type RedisProxy, startRedisProxy } from '@wechat-outbox/sandbox'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { openStore, type Store } from '../../src/redis/store.ts'
import type { Trouble } from '../../src/worker/settler.ts'
import { createHand, type Hand } from './hand.ts'
import type { World } from './world.ts'

/** An error that Redis answers instead of executing the script, or the loss of the answer and the connection. */
export type OneFate = { readonly refuse: string } | 'lose-reply'

export interface FatedHand extends Hand {
  /** What its scripts meet from now on; `for ever`: the last of them until others are set. */
  meets(fates: readonly OneFate[], how?: 'for ever'): void
  /** In order: what it said of refusals, and 'settled again'. */
  readonly said: (Trouble | 'settled again')[]
}

export interface FatedRedis {
  readonly store: Store
  readonly redis: RedisClient
  hand(name: string, isReady?: () => boolean): FatedHand
  close(): Promise<void>
}

export async function createFatedRedis(world: World): Promise<FatedRedis> {
  const fates = new Map<string, { left: OneFate[]; forEver: boolean }>()
  const proxy: RedisProxy = await startRedisProxy({
    targetPort: Number(new URL(world.url).port),
    onCommand(command) {
      if (command[0] !== 'evalsha' && command[0] !== 'eval') return undefined
      const found = [...fates].find(([name]) => command.some((word) => word.startsWith(`${name}:`)))?.[1]
      const fate = found?.left[0]
      // The body of a script is known as soon as it is sent: NOSCRIPT is no answer to it.
      if (typeof fate === 'object' && fate.refuse.startsWith('NOSCRIPT') && command[0] === 'eval') return undefined
      if (found !== undefined && !(found.forEver && found.left.length === 1)) found.left.shift()
      return fate
    },
  })
  const redis = connectRedis(proxy.url, 'work')
  redis.on('error', () => undefined)
  await whenReady(redis, 5000)
  const store = await openStore(redis)
  return {
    store,
    redis,
    hand(name, isReady = () => true) {
      const said: FatedHand['said'] = []
      const report = {
        unsettled: (trouble: Trouble) => void said.push(trouble),
        settledAgain: () => void said.push('settled again'),
      }
      const hand = createHand(world, { name, store, isReady, report })
      return {
        ...hand,
        said,
        meets: (left, how) => void fates.set(name, { left: [...left], forEver: how === 'for ever' }),
      }
    },
    async close() {
      redis.disconnect()
      await proxy.close()
    },
  }
}
