// A connection may break between any two bytes, and Redis does what it has read by then. So every step that changes
// several things is cut at many places: it has either happened or not, and doing it again ends in the same.
import { deadLetterIdOf } from '@wechat-outbox/messages'
import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { replayRetried } from '../../src/dead-letters/replay.ts'
import { createEnqueuer } from '../../src/producer/enqueue.ts'
import type { NewMessage } from '../../src/producer/new-message.ts'
import { connectRedis, type RedisClient, whenReady } from '../../src/redis/connection.ts'
import { openStore, type Store } from '../../src/redis/store.ts'
import { burierOn, failed, untilDead } from '../support/dead.ts'
import { APP, createWorld, keys, text, type World } from '../support/world.ts'

/** Bytes between two cuts: less than a call of a script has, so that there is one between each two of them. */
const STEP = 100

let world: World
let proxy: TcpProxy
let client: RedisClient
let store: Store
beforeEach(async () => {
  world = await createWorld()
  proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  client = connectRedis(proxy.url('redis'), 'produce')
  client.on('error', () => undefined)
  await whenReady(client, 5000)
  store = await openStore(client)
})
afterEach(async () => {
  client.disconnect()
  await proxy.close()
  await world.close()
})

interface Step<T> {
  /** What the step is done to. */
  readonly prepare: (name: string) => Promise<T>
  readonly act: (on: T) => Promise<unknown>
  /** Is it all or nothing? Then does the step again and sees that there is one end. */
  readonly look: (on: T) => Promise<void>
}

/** Does a step with its connection cut ever later, until it is not cut any more. Returns how often it was. */
async function cutEverywhere<T>({ prepare, act, look }: Step<T>): Promise<number> {
  for (let cut = 0; ; cut += 1) {
    const on = await prepare(`cut-${cut}`)
    // Done once uncut, the connection knows its scripts, and each is a short command as it mostly is.
    const other = await prepare(`uncut-${cut}`)
    await vi.waitFor(() => act(other), 5000)
    proxy.breakAfter(cut * STEP)
    const uncut = await act(on).then(
      () => true,
      () => false,
    )
    proxy.breakAfter(Number.POSITIVE_INFINITY)
    // Redis has read whatever arrived before it reads the end of the connection.
    await vi.waitFor(() => client.ping(), 5000)
    await look(on)
    if (uncut) return cut
  }
}

const laneOf = (touser: string): Promise<string[]> => world.redis.lrange(keys.lane(touser), '0', '-1')
const jobsOf = async (...ids: string[]): Promise<string[]> => {
  const names = await Promise.all(ids.map((id) => world.redis.hget(keys.sendJob(id), 'name')))
  return ids.filter((_, at) => names[at] !== null)
}
const messageTo = (name: string, guard?: NewMessage['guard']): NewMessage => ({
  appid: APP,
  id: `m-${name}`,
  data: { v: 1, ...text(`o-${name}`) },
  ...(guard === undefined ? {} : { guard }),
})
const failedOne = async (name: string): Promise<{ id: string; touser: string }> => {
  const touser = `o-${name}`
  const [id = ''] = await failed(world, touser)
  return { id, touser }
}

describe('a connection that breaks', () => {
  it('leaves a message stored or not, never its place without its job', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(store))
    const cuts = await cutEverywhere({
      prepare: (name) => Promise.resolve(messageTo(name)),
      act: (message) => enqueuer.enqueue(message),
      look: async ({ id, data }) => expect(await laneOf(data.touser)).toEqual(await jobsOf(id)),
    })
    expect(cuts).toBeGreaterThan(5)
  })

  it('leaves an idempotency key with its message or without any, so that a repeat finds one or makes one', async () => {
    const enqueuer = createEnqueuer(() => Promise.resolve(store))
    const repeater = createEnqueuer(() => Promise.resolve(world.store))
    const cuts = await cutEverywhere({
      prepare: (name) => Promise.resolve(messageTo(name, { key: name, fingerprint: 'same', ttlMs: 60_000 })),
      act: (message) => enqueuer.enqueue(message),
      async look(message) {
        const again = { ...message, id: `${message.id}-again` }
        const { id } = await repeater.enqueue(again)
        expect(await jobsOf(message.id, again.id)).toEqual([id])
        expect(await laneOf(message.data.touser)).toEqual([id])
        expect(await world.redis.exists(keys.sendJob(message.id), keys.sendJob(again.id))).toBe(1)
      },
    })
    expect(cuts).toBeGreaterThan(7)
  })

  it('leaves a failed message or its dead letter, and never both nor neither', async () => {
    const { burier } = burierOn(store)
    const again = burierOn(world.store).burier
    const cuts = await cutEverywhere({
      prepare: failedOne,
      act: ({ id }) => burier.bury(id),
      async look({ id, touser }) {
        const isDead = (await world.redis.zscore(keys.deadFailed, deadLetterIdOf(id))) !== null
        expect(await jobsOf(id)).toEqual(isDead ? [] : [id])
        expect(await laneOf(touser)).toEqual(isDead ? [] : [id])
        await again.bury(id)
        expect(await (await untilDead(world, id)).getState()).toBe('failed')
        expect(await jobsOf(id)).toEqual([])
      },
    })
    expect(cuts).toBeGreaterThan(5)
    expect(await world.redis.exists(keys.sendFailed)).toBe(0)
  })

  it('leaves a dead letter replayed or not, and a repeat makes no second message', async () => {
    const options = { appid: APP, rememberMs: 60_000, perSecond: 0 }
    const cuts = await cutEverywhere({
      async prepare(name) {
        const { id, touser } = await failedOne(name)
        await burierOn(world.store).burier.bury(id)
        return { deadId: deadLetterIdOf(id), newId: `${id}-1`, touser }
      },
      async act({ deadId }) {
        await requestReplay(store, APP, deadId)
        await replayRetried({ ...options, store })
      },
      async look({ deadId, newId, touser }) {
        const isReplayed = (await world.redis.exists(keys.deadJob(deadId))) === 0
        expect(await jobsOf(newId)).toEqual(isReplayed ? [newId] : [])
        expect(await laneOf(touser)).toEqual(isReplayed ? [newId] : [])
        await requestReplay(world.store, APP, deadId)
        const { replayed } = await replayRetried({ ...options, store: world.store })
        expect(replayed).toEqual(isReplayed ? [] : [{ id: newId, replayOf: deadId }])
        expect(await laneOf(touser)).toEqual([newId])
      },
    })
    expect(cuts).toBeGreaterThan(7)
  })
})
