// What a script did stands in Redis even when its answer is lost with the connection. Here each answer of a worker's is lost at that
// moment, and nobody would look for stalled messages.
import { startTcpProxy, type TcpProxy } from '@wechat-outbox/sandbox'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openStore, type Store } from '../../src/redis/store.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import type { Turn } from '../../src/worker/turn.ts'
import { createHand } from '../support/hand.ts'
import { connect } from '../support/proxied.ts'
import { attemptMade, DELIVERED, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const accepted = (...people: string[]): Promise<string[]> => world.accept(people.map((touser) => text(touser)))

let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  onTestFinished(() => proxy.close())
})

async function storeThroughProxy(): Promise<Store> {
  return openStore(await connect(proxy.url('redis')))
}

describe('a fetch whose answer is lost', () => {
  /** A worker behind the proxy, which is told by a sharedWait that is not behind it. `meet` meets each message before it is delivered. */
  async function workThroughProxy(
    meet: (id: string) => unknown,
    concurrency: number,
  ): Promise<{ id: string; interrupted: boolean }[]> {
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
      { store: await storeThroughProxy(), stalledAfterMs: 600_000, concurrency },
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

describe('a turn whose answer is lost, of a message with the mark of a run that died', () => {
  const AGO_MS = 60_000
  const marks = (id: string) => world.redis.hmget(keys.sendJob(id), 'sending', 'atm')

  /** Such a message, fetched by a worker behind the proxy. `mark` was left by its version. */
  async function interrupted(mark: string) {
    const [id = ''] = await accepted('o-interrupted')
    await world.redis.hset(keys.sendJob(id), 'sending', mark)
    return createHand(world, { store: await storeThroughProxy() }).fetch()
  }
  /** Asks for the turn, and for it once more after the answer was lost. `meanwhile`: between the two. */
  async function askTwice(run: Run, meanwhile?: () => Promise<unknown>): Promise<Turn> {
    const before = await marks(run.id)
    proxy.cutReplies(true)
    const turn = run.admit(memberOf(run))
    await vi.waitFor(async () => expect(await marks(run.id)).not.toEqual(before), WAIT_MS)
    await meanwhile?.()
    proxy.cutReplies(false)
    proxy.resetAll()
    return turn
  }
  const deadMark = (): string => `${Date.now() - AGO_MS} a-dead-run`

  it.each([
    ['this version', deadMark],
    ['an older version', () => String(Date.now() - AGO_MS)],
  ])('is told that the call of that run was open: a mark of %s', async (_of, mark) => {
    const { run } = await interrupted(mark())
    const turn = await askTwice(run)
    expect(turn).toMatchObject({ kind: 'go', tries: 1, interruptedMsAgo: expect.any(Number) })
    expect((turn as { interruptedMsAgo: number }).interruptedMsAgo).toBeGreaterThanOrEqual(AGO_MS)
  })

  it('is not told so again once its own call has been refused', async () => {
    const { run } = await interrupted(deadMark())
    await askTwice(run)
    await run.unmark()
    expect(await run.admit(memberOf(run))).toEqual({ kind: 'go', tries: 1, leaseFrom: expect.any(Number) })
  })

  it.each<[string, Turn['kind'], (id: string) => Promise<unknown>]>([
    ['its lock has ended', 'lost', (id) => world.redis.del(keys.sendLock(id))],
    ['the app is held', 'held', () => world.redis.hset(keys.hold, 'operator', 'somebody')],
  ])('leaves that mark when it gets none, because %s meanwhile', async (_why, kind, meanwhile) => {
    const mark = deadMark()
    const held = await interrupted(mark)
    const { id, run } = held
    const turn = await askTwice(run, () => meanwhile(id))
    expect(turn.kind).toBe(kind)
    await held.settle(turn as Settlement)
    expect(await marks(id)).toEqual([mark, '0'])
  })

  it('leaves no mark when its run ends after it was told', async () => {
    const held = await interrupted(deadMark())
    const { id, run } = held
    await askTwice(run)
    await held.settle({ kind: 'snooze', delayMs: 60_000, counts: true, attempts: [attemptMade({ outcome: 'retry' })] })
    expect(await marks(id)).toEqual(['', '2'])
  })
})
