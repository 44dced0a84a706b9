/** Ways in which a real Redis refuses to write for a while, and takes no harm. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

export const REFUSALS = ['NOREPLICAS', 'READONLY', 'OOM', 'BUSY'] as const
export type Refusal = (typeof REFUSALS)[number]

/** Makes Redis refuse, and lets `meanwhile` happen; after `ms`, or when that has ended if it takes longer, Redis writes again. */
export async function whileRefusing(
  url: string,
  refusal: { readonly how: Refusal; readonly ms: number },
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  // A client of the project's own leaves a server that takes no writes, and never becomes ready at one.
  const redis = new Redis(url)
  redis.on('error', () => undefined)
  try {
    await begin(redis, refusal.how, url)
    try {
      await Promise.all([sleep(refusal.ms), meanwhile()])
    } finally {
      await end(redis, refusal.how)
    }
  } finally {
    redis.disconnect()
  }
}

async function begin(redis: Redis, how: Refusal, url: string): Promise<void> {
  switch (how) {
    case 'NOREPLICAS':
      return void (await redis.config('SET', 'min-replicas-to-write', '1'))
    case 'READONLY':
      // The replica of a primary that does not exist: it answers with what it has.
      return void (await redis.call('REPLICAOF', '127.0.0.1', '1'))
    case 'OOM':
      return void (await redis.config('SET', 'maxmemory', '1mb'))
    case 'BUSY': {
      await redis.config('SET', 'busy-reply-threshold', '1')
      const other = new Redis(url)
      other.on('error', () => undefined)
      other
        .eval('while true do end', 0)
        .catch(() => undefined)
        .finally(() => other.disconnect())
      while (!(await isBusy(redis))) await sleep(1)
    }
  }
}

const isBusy = (redis: Redis): Promise<boolean> =>
  redis.ping().then(
    () => false,
    () => true,
  )

async function end(redis: Redis, how: Refusal): Promise<void> {
  switch (how) {
    case 'NOREPLICAS':
      return void (await redis.config('SET', 'min-replicas-to-write', '0'))
    case 'READONLY':
      return void (await redis.call('REPLICAOF', 'NO', 'ONE'))
    case 'OOM':
      return void (await redis.config('SET', 'maxmemory', '0'))
    case 'BUSY':
      await redis.script('KILL')
      while (await isBusy(redis)) await sleep(1)
      return void (await redis.config('SET', 'busy-reply-threshold', '5000'))
  }
}
