// A queue that becomes busy opens a connection of its own, and Redis answers that one with an error or not at all. What
// runs come to meanwhile has nothing to do with it: it is recorded at once, and no message is sent twice or dies.
import { REDIS_ERRORS, startTcpProxy } from '@wechat-outbox/sandbox'
import { expect, it, onTestFinished, vi } from 'vitest'
import { sharedWaitFor } from '../../src/bullmq/shared-wait.ts'
import type { RedisClient } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import { gatedWechat } from '../support/gated-wechat.ts'
import { connect, connectThroughProxy } from '../support/proxied.ts'
import { keys, ownWorld, type Reported, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()
const OPEN = 10

type Wechat = ReturnType<typeof gatedWechat>

async function workOn(client: RedisClient, { deliver }: Wechat): Promise<Reported> {
  const store = await openStore(client)
  const sharedWait = sharedWaitFor(client, store.clock)
  onTestFinished(() => sharedWait?.close())
  return world.consumer(deliver, { store, sharedWait, concurrency: OPEN })
}

/** Wakes the idle queue until its connection has been opened, each time with a message whose call stays open. */
async function becomeBusy(sent: readonly string[], isOpened: () => boolean): Promise<string[]> {
  const ids: string[] = []
  while (!isOpened() && ids.length < OPEN - 1) {
    const odd = ids.length % 2 === 0 ? {} : { ifUnsure: 'dead-letter' as const }
    const { id } = await world.outbox().send({ ...text(`o-${ids.length}`), ...odd })
    ids.push(id)
    await vi.waitFor(() => expect(sent.includes(id) || isOpened()).toBe(true), WAIT_MS)
  }
  expect(isOpened()).toBe(true)
  return ids
}

async function expectOnce(ids: readonly string[], of: Wechat): Promise<void> {
  await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length), WAIT_MS)
  expect([of.sent.toSorted(), of.interrupted]).toEqual([ids.toSorted(), []])
}

it.each(['BUSY', 'LOADING'] as const)('it is answered %s', async (error) => {
  const { proxy, client } = await connectThroughProxy(world)
  const wechat = gatedWechat()
  const { dead } = await workOn(client, wechat)
  let asked = 0
  proxy.setOnCommand(([name]) => {
    // The client's own look at a new connection, and then BullMQ's.
    if (name !== 'info' || ++asked < 2) return undefined
    wechat.answer()
    return { refuse: REDIS_ERRORS[error] }
  })
  const ids = await becomeBusy(wechat.sent, () => asked > 1)
  await expectOnce(ids, wechat)
  expect(dead).toEqual([])
})

it('it is accepted and never answered', { timeout: 60_000 }, async () => {
  const proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  onTestFinished(() => proxy.close())
  const wechat = gatedWechat()
  const { dead } = await workOn(await connect(proxy.url('redis')), wechat)
  await vi.waitFor(() => expect(proxy.connections()).toBe(2), WAIT_MS)
  proxy.stallNew(true)
  const before = proxy.connections()
  const ids = await becomeBusy(wechat.sent, () => proxy.connections() > before)
  wechat.answer()
  await expectOnce(ids, wechat)
  expect(dead).toEqual([])
})
