/** Dead letters to begin a test with. */
import { type DeadLetter, deadLetterIdOf } from '@wechat-outbox/messages'
import type { Job } from 'bullmq'
import { expect, vi } from 'vitest'
import { type Burier, type BurierOptions, createBurier } from '../../src/dead-letters/bury.ts'
import type { Store } from '../../src/redis/store.ts'
import { APP, consumerDefaults, dies, keys, reasonOf, text, type World } from './world.ts'

export const dying = (): Promise<ReturnType<typeof dies>> => Promise.resolve(dies())

export async function untilDead(world: World, id: string): Promise<Job<DeadLetter>> {
  return vi.waitFor(async () => {
    const job = await world.dead.getJob(deadLetterIdOf(id))
    if (job === undefined) throw new Error('not yet')
    return job
  }, 10_000)
}

/** Sends so many messages to 97 people and has them all die. Returns the messages' ids. */
export async function buried(world: World, count: number): Promise<string[]> {
  const outbox = world.outbox()
  const { consumer } = await world.consumer(dying)
  const ids: string[] = []
  for (let from = 0; from < count; from += 1000) {
    const length = Math.min(1000, count - from)
    const many = Array.from({ length }, (_, n) => text(`o-${(from + n) % 97}`, `n${from + n}`))
    for (const result of await outbox.sendMany(many)) if ('id' in result) ids.push(result.id)
  }
  const all = { timeout: 120_000, interval: 200 }
  await vi.waitFor(async () => expect(await world.redis.zcard(keys.deadByTime)).toBe(count), all)
  await consumer.close(1000)
  return ids
}

/** Messages to one person whose jobs have failed and which nobody has moved yet, as a crash leaves them. Returns their ids. */
export async function failed(world: World, touser: string, count = 1): Promise<string[]> {
  const ids = await world.accept(Array.from({ length: count }, () => text(touser)))
  for (const id of ids) {
    await world.redis
      .multi()
      .lrem(keys.sendWait, 1, id)
      .zadd(keys.sendFailed, Date.now(), id)
      .hset(keys.sendJob(id), { failedReason: '45015 reply-window-closed', finishedOn: String(Date.now()) })
      .exec()
  }
  return ids
}

/** A burier that gives the reasons that a worker gives, and adds the events that it adds. */
export function workersBurier(store: Store, more: Pick<BurierOptions, 'tells' | 'holdMaxMs'>): Burier {
  const { explainFailure: explain, explainExpiry } = consumerDefaults(store)
  const ignore = () => undefined
  return createBurier({ appid: APP, store, explain, explainExpiry, onDead: ignore, onOccupied: ignore, ...more })
}

/** A burier that tells what it found. */
export function burierOn(store: Store) {
  const dead: string[] = []
  const occupied: string[] = []
  const burier = createBurier({
    appid: APP,
    store,
    explain: (errmsg) => reasonOf({ errmsg }),
    explainExpiry: () => reasonOf(),
    onDead: ({ id }) => dead.push(id),
    onOccupied: (id) => occupied.push(id),
  })
  return { burier, dead, occupied }
}
