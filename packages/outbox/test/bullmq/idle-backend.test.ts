import { startProcess, startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type SharedWait, sharedWaitFor } from '../../src/bullmq/shared-wait.ts'
import { requestReplay } from '../../src/dead-letters/list.ts'
import { connectRedis, type RedisClient } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import { APP, delivering, dies, keys, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld()
let consumers: Consumer[] = []
let sent: string[] = []
// What the test before has left unsent is no business of the next one.
beforeEach(async () => void (await world.redis.flushall()))
afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.close(2000)))
  consumers = []
  sent = []
})

const marker = `${keys.sendJobs}marker`
async function connections(): Promise<{ bells: number; own: number }> {
  const list = ((await (world.redis as Redis).client('LIST')) as string).split('\n')
  const count = (name: string): number => list.filter((line) => line.includes(`name=${name}`)).length
  return { bells: count('wxo:wait'), own: count(`${keys.prefix}:`) }
}
async function consume(deliver = delivering(sent)): Promise<void> {
  const { consumer } = await world.consumer(deliver)
  consumers.push(consumer)
}
const asleep = (): Promise<void> =>
  vi.waitFor(async () => expect(await connections()).toEqual({ bells: 1, own: 0 }), WAIT_MS)

/** Waits longer than the sleepers do, and so gets the next marker and keeps it, as a process does that dies with it. */
async function thief(): Promise<{ robbed: Promise<unknown>; leave: () => void }> {
  const client = connectRedis(world.url, 'work')
  client.on('error', () => undefined)
  // One that an earlier test left would be taken at once.
  await world.redis.del(marker)
  await (client as Redis).client('SETNAME', 'thief')
  const robbed = client.bzpopmin(marker, 0)
  robbed.catch(() => undefined)
  // And nobody else waits any more, as the sleepers of an earlier test do for a while.
  await vi.waitFor(async () => {
    expect(await (world.redis as Redis).client('LIST')).toMatch(/name=thief .* cmd=bzpopmin /)
    expect(await world.redis.info('clients')).toContain('blocked_clients:1\r')
  }, WAIT_MS)
  return { robbed, leave: () => client.disconnect() }
}

describe('an app with nothing to do', () => {
  it('keeps no connection, delivers a message all the same, and sleeps on', async () => {
    await consume()
    await asleep()
    const { id } = await world.outbox().send(text('o-one'))
    await vi.waitFor(() => expect(sent).toEqual([id]), WAIT_MS)
    await asleep()
  })

  it('delivers a scheduled message when it is due', async () => {
    await consume()
    await asleep()
    const sendAt = Date.now() + 1500
    const { id } = await world.outbox().send({ ...text('o-later'), sendAt })
    await vi.waitFor(() => expect(sent).toEqual([id]), 4000)
    expect(Date.now()).toBeGreaterThanOrEqual(sendAt)
  })

  it('wakes up when it has more to do, and lies down again', { timeout: 60_000 }, async () => {
    await consume()
    const outbox = world.outbox()
    await vi.waitFor(async () => {
      await outbox.send(text('o-busy'))
      expect((await connections()).own).toBe(1)
    }, 10_000)
    await vi.waitFor(async () => expect(await connections()).toEqual({ bells: 1, own: 0 }), 20_000)
    const before = sent.length
    await outbox.send(text('o-again'))
    await vi.waitFor(() => expect(sent).toHaveLength(before + 1), WAIT_MS)
  })

  it('replays a dead letter that somebody retries', async () => {
    let dead = true
    const deliver = delivering(sent)
    await consume(async (run) => {
      if (!dead) return deliver(run)
      const turn = await run.admit(run.data as { touser: string })
      return turn.kind === 'go' ? dies() : turn
    })
    const { id } = await world.outbox().send(text('o-dies'))
    const letter = `d-${id.slice(2)}`
    await vi.waitFor(async () => expect(await world.redis.zscore(keys.deadFailed, letter)).not.toBeNull(), WAIT_MS)
    dead = false
    await asleep()
    await requestReplay(world.store, APP, letter)
    await vi.waitFor(() => expect(sent).toEqual([`${id}-1`]), WAIT_MS)
  })
})

describe('a marker that is lost', () => {
  it.each([
    ['of a message that waits', 0],
    ['of one that is due later', 2000],
  ])('%s is made up for by the queue poll', { timeout: 60_000 }, async (_what, inMs) => {
    const { robbed, leave } = await thief()
    await consume()
    const schedule = inMs === 0 ? {} : { sendAt: Date.now() + inMs }
    const { id } = await world.outbox().send({ ...text('o-robbed'), ...schedule })
    expect(await robbed).not.toBeNull()
    await vi.waitFor(() => expect(sent).toEqual([id]), 10_000)
    leave()
  })
})

describe('a connection that is accepted and never answered', () => {
  let proxy: TcpProxy
  let redis: RedisClient
  let sharedWait: SharedWait | undefined
  beforeEach(async () => {
    proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
    redis = connectRedis(proxy.url('redis'), 'work')
    redis.on('error', () => undefined)
    const store = await openStore(redis)
    sharedWait = sharedWaitFor(redis, store.clock)
    const { consumer } = await world.consumer(delivering(sent), { store, sharedWait })
    consumers.push(consumer)
  })
  afterEach(async () => {
    sharedWait?.close()
    redis.disconnect()
    await proxy.close()
  })
  /** Cuts the connections of that name; the ones that are made instead are accepted and never answered. */
  async function swallow(name: string): Promise<void> {
    proxy.stallNew(true)
    const list = ((await (world.redis as Redis).client('LIST')) as string).split('\n')
    const ids = list.filter((line) => line.includes(`name=${name}`)).map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '')
    for (const id of ids) await (world.redis as Redis).client('KILL', 'ID', id)
  }

  it('does not keep a sleeper from its messages', async () => {
    await asleep()
    await swallow('wxo:wait')
    const { id } = await world.outbox().send(text('o-silent'))
    await vi.waitFor(() => expect(sent).toEqual([id]), WAIT_MS)
  })

  it('sends a busy one to sleep, and its messages arrive', { timeout: 60_000 }, async () => {
    const outbox = world.outbox()
    await vi.waitFor(async () => {
      await outbox.send(text('o-busy'))
      expect((await connections()).own).toBe(1)
    }, 10_000)
    await swallow(`${keys.prefix}:`)
    const { id } = await outbox.send(text('o-hangs'))
    await vi.waitFor(() => expect(sent).toContain(id), WAIT_MS)
    await vi.waitFor(async () => expect((await connections()).own).toBe(0), WAIT_MS)
  })

  it('does not stop one that wakes up on it', { timeout: 60_000 }, async () => {
    const outbox = world.outbox()
    await asleep()
    proxy.stallNew(true)
    const before = proxy.connections()
    await vi.waitFor(async () => {
      await outbox.send(text('o-busy'))
      expect(proxy.connections()).toBeGreaterThan(before)
    }, 10_000)
    const { id } = await outbox.send(text('o-hangs'))
    await vi.waitFor(() => expect(sent).toContain(id), WAIT_MS)
  })
})

describe('a worker that died with a message', () => {
  it('is followed by one that sleeps', { timeout: 60_000 }, async () => {
    const script = `${import.meta.dirname}/../support/consumer-process.ts`
    const holder = startProcess({ args: [script, world.url, 'hold'] })
    await holder.waitForLine(/^running$/, WAIT_MS)
    const { id } = await world.outbox().send(text('o-held'))
    await holder.waitForLine(/^holding$/, WAIT_MS)
    await consume()
    await holder.kill9()
    await vi.waitFor(() => expect(sent).toEqual([id]), 20_000)
  })
})
