// A fetch is made in Redis even when its answer is lost with the connection. Here each answer of a worker's is lost at that
// moment, and nobody would look for stalled messages.
import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import { openStore } from '../../src/redis/store.ts'
import { DELIVERED, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const accepted = (...people: string[]): Promise<string[]> => world.accept(people.map((touser) => text(touser)))

describe('a fetch whose answer is lost', () => {
  let proxy: TcpProxy
  beforeEach(async () => {
    proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
    onTestFinished(() => proxy.close())
  })

  /** A worker behind the proxy, which is told by a sharedWait that is not behind it. `meet` meets each message before it is delivered. */
  async function workThroughProxy(
    meet: (id: string) => unknown,
    concurrency: number,
  ): Promise<{ id: string; interrupted: boolean }[]> {
    const redis = connectRedis(proxy.url('redis'), 'work')
    redis.on('error', () => undefined)
    onTestFinished(() => redis.disconnect())
    const turns: { id: string; interrupted: boolean }[] = []
    const { consumer } = await world.consumer(
      async (run) => {
        const turn = await run.admit(memberOf(run))
        if (turn.kind !== 'go') return turn
        turns.push({ id: run.id, interrupted: turn.interruptedMsAgo !== undefined })
        await meet(run.id)
        return DELIVERED
      },
      // Nobody looks for stalled messages for as long as this test waits.
      { store: await openStore(redis), stalledAfterMs: 600_000, concurrency },
    )
    onTestFinished(async () => void (await consumer.close(2000)))
    return turns
  }
  async function loseAnswers(id: string): Promise<void> {
    await vi.waitFor(async () => expect(await world.redis.hget(keys.sendJob(id), 'sending')).toMatch(/^\d+ /), WAIT_MS)
    proxy.cutReplies(false)
    proxy.resetAll()
  }

  it('gives the message back, and it is sent as one that nobody has begun to send', { repeats: 4 }, async () => {
    const ids: string[] = []
    const delivered = (): Promise<number> => world.send.getCompletedCount()
    // The one that the repeated fetch has found is not given back, or it would be fetched again while it is being sent.
    const other = (): Promise<void> => vi.waitFor(async () => expect(await delivered()).toBe(1), WAIT_MS)
    const turns = await workThroughProxy((id) => id === ids[1] && other(), 2)
    // It has looked, found nothing, and waits at the sharedWait.
    await vi.waitFor(async () => expect(await world.redis.info('clients')).toContain('blocked_clients:1'), WAIT_MS)
    proxy.cutReplies(true)
    ids.push(...(await accepted('o-lost-1', 'o-lost-2')))
    await loseAnswers(ids[0] ?? '')
    await vi.waitFor(async () => expect(await delivered()).toBe(2), WAIT_MS)
    const expected = ids.map((id) => ({ id, interrupted: false }))
    expect(turns).toHaveLength(2)
    expect(turns).toEqual(expect.arrayContaining(expected))
  })

  it('with the completion of another does so as well, and that one is delivered once', { repeats: 4 }, async () => {
    const [first = '', second = ''] = await accepted('o-lost-1', 'o-lost-2')
    const turns = await workThroughProxy((id) => proxy.cutReplies(id === first), 1)
    await loseAnswers(second)
    await vi.waitFor(() => expect(turns.map(({ id }) => id)).toEqual([first, second]), WAIT_MS)
    expect(turns[1]?.interrupted).toBe(false)
    await vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(2), WAIT_MS)
  })
})
