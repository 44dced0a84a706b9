// A queue that becomes busy opens a connection of its own, and Redis answers that one with an error or not at all. What
// runs come to meanwhile has nothing to do with it: it is recorded at once, and no message is sent twice or dies.
import { REDIS_ERRORS, startRedisProxy, startTcpProxy } from '@wechat-outbox/sandbox'
import { expect, it, onTestFinished, vi } from 'vitest'
import { sharedWaitFor } from '../../src/bullmq/shared-wait.ts'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { DELIVERED, keys, memberOf, ownWorld, type Reported, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()
const OPEN = 10

/** A WeChat that answers when it is let. */
function gatedWechat() {
  const sent: string[] = []
  const interrupted: string[] = []
  const gate = Promise.withResolvers<void>()
  async function deliver(run: Run): Promise<Settlement> {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    if (turn.interruptedMsAgo !== undefined) interrupted.push(run.id)
    sent.push(run.id)
    await gate.promise
    return DELIVERED
  }
  return { deliver, sent, interrupted, answer: () => gate.resolve() }
}

async function workThrough(url: string, deliver: (run: Run) => Promise<Settlement>): Promise<Reported> {
  const client = connectRedis(url, 'work')
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  await whenReady(client, WAIT_MS)
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

async function expectOnce(ids: readonly string[], of: ReturnType<typeof gatedWechat>): Promise<void> {
  await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length), WAIT_MS)
  expect([of.sent.toSorted(), of.interrupted]).toEqual([ids.toSorted(), []])
}

it.each(['BUSY', 'LOADING'] as const)('it is answered %s', async (error) => {
  const proxy = await startRedisProxy({ targetPort: Number(new URL(world.url).port) })
  onTestFinished(() => proxy.close())
  const wechat = gatedWechat()
  const { dead } = await workThrough(proxy.url, wechat.deliver)
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
  const { dead } = await workThrough(proxy.url('redis'), wechat.deliver)
  await vi.waitFor(() => expect(proxy.connections()).toBe(2), WAIT_MS)
  proxy.stallNew(true)
  const before = proxy.connections()
  const ids = await becomeBusy(wechat.sent, () => proxy.connections() > before)
  wechat.answer()
  await expectOnce(ids, wechat)
  expect(dead).toEqual([])
})
