// A turn that comes with the fetch, and a settlement that goes with the completion: what a run sees, what Redis sees of it,
// and what becomes of a completion that comes too late.
import { JOB_DATA_VERSION } from '@wechat-outbox/messages'
import { describe, expect, it, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import type { Turn } from '../../src/worker/turn.ts'
import { createHand, settlerOn } from '../support/hand.ts'
import { ASKING, DELIVERED, delivering, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const NEWER = JSON.stringify({ v: JOB_DATA_VERSION + 1, touser: 'o-turn' })
const mark = (id: string): Promise<string | null> => world.redis.hget(keys.sendJob(id), 'sending')
const accepted = (count: number, touser: (at: number) => string): Promise<string[]> =>
  world.accept(Array.from({ length: count }, (_, at) => text(touser(at))))
const untilCompleted = (count: number): Promise<void> =>
  vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(count), WAIT_MS)

describe('a turn', () => {
  /** What a run finds in Redis before it has asked for anything. */
  async function marksAtStart(prepare: (id: string) => Promise<unknown>, deliver: (run: Run) => Promise<Settlement>) {
    await world.send.pause()
    const { id } = await world.outbox().send(text('o-turn'))
    await prepare(id)
    const found: (string | null)[] = []
    await world.consumer(async (run) => {
      found.push(await mark(run.id))
      return deliver(run)
    })
    await world.send.resume()
    await vi.waitFor(() => expect(found).toHaveLength(1), WAIT_MS)
    return { id, found: found[0] }
  }
  const nothing = (): Promise<unknown> => Promise.resolve()
  const later = (): Promise<Settlement> =>
    Promise.resolve({ kind: 'snooze', delayMs: 60_000, counts: false, attempts: [] })

  it('comes with the fetch, and its mark goes when the run does not use it', async () => {
    const { id, found } = await marksAtStart(nothing, later)
    expect(found).toMatch(/^\d+ /)
    await vi.waitFor(async () => expect(await world.redis.zscore(keys.sendDelayed, id)).not.toBeNull(), WAIT_MS)
    expect(await mark(id)).toBe('')
  })

  it('ends the parking of a message that looks by itself', async () => {
    const parked: (string | null)[] = []
    await marksAtStart(
      (id) => world.redis.hset(keys.sendJob(id), 'parked', '1'),
      async (run) => {
        parked.push(await world.redis.hget(keys.sendJob(run.id), 'parked'))
        return later()
      },
    )
    await vi.waitFor(() => expect(parked).toEqual(['0']), WAIT_MS)
  })

  it('is waived where something has to be waited for, and asked for afterwards', async () => {
    const marks: (string | null)[] = []
    await marksAtStart(nothing, async (run) => {
      await run.waive()
      marks.push(await mark(run.id))
      const turn = await run.admit(memberOf(run))
      marks.push(await mark(run.id))
      return turn.kind === 'go' ? DELIVERED : turn
    })
    await untilCompleted(1)
    expect(marks).toEqual([null, expect.stringMatching(/^\d+ /)])
  })

  it.each([
    ['newer than this worker', (id: string) => world.redis.hset(keys.sendJob(id), 'data', NEWER)],
    ['unreadable', (id: string) => world.redis.hset(keys.sendJob(id), 'data', '"?"')],
    ['not JSON', (id: string) => world.redis.hset(keys.sendJob(id), 'data', '{')],
    ['to nobody', (id: string) => world.redis.hset(keys.sendJob(id), 'data', '{"v":1,"touser":[]}')],
  ])('does not come with data that are %s', async (_what, prepare) => {
    expect((await marksAtStart(prepare, later)).found).toBeNull()
  })

  it('does not come with a message that an earlier run left marked, nor over the mark', async () => {
    const left = '1 another run'
    const { found } = await marksAtStart((id) => world.redis.hset(keys.sendJob(id), 'sending', left), later)
    expect(found).toBe(left)
  })

  it('does not come with a message that must not be sent twice: it would be a dead letter if the worker died now', async () => {
    const once = JSON.stringify({ v: 1, ...text('o-turn'), ifUnsure: 'dead-letter' })
    const { found } = await marksAtStart((id) => world.redis.hset(keys.sendJob(id), 'data', once), later)
    expect(found).toBeNull()
  })

  it('does not come while the app is probed', async () => {
    const { found } = await marksAtStart(() => world.redis.hset(keys.hold, 'half', '1', 'kind', 'suspended'), later)
    expect(found).toBeNull()
  })

  it('does not come when the worker could not send, neither with a fetch nor with a completion', async () => {
    const found: (string | null)[] = []
    const deliver = delivering([])
    await world.consumer(
      async (run) => {
        found.push(await mark(run.id))
        return deliver(run)
      },
      { ...ASKING, concurrency: 1 },
    )
    await accepted(3, (at) => `o-turn-${at}`)
    await untilCompleted(3)
    expect(found).toEqual([null, null, null])
  })

  it('of a message that no run has begun with is no other message’s', async () => {
    const [first = '', second = ''] = await accepted(2, (at) => `o-turn-${at}`)
    let isReady = true
    const settler = settlerOn(world.store, () => isReady)
    const fetching = { kind: 'fetch', id: '', token: 'a token', fetches: true } as const
    await settler.settle(fetching)
    isReady = false
    await settler.settle(fetching)
    expect(await world.redis.lrange(keys.sendActive, '0', '-1')).toEqual([second, first])
    expect(settler.admissionOf(second, 'a token')).toBeUndefined()
  })

  /** Redis does not answer what it is asked before a time is noted. */
  async function answeredLate<T>(ask: () => Promise<T>): Promise<{ before: number; asked: number; answer: T }> {
    const asks = String(await world.redis.client('ID'))
    const other = connectRedis(world.url, 'operate')
    await other.client('PAUSE', 60_000, 'WRITE')
    const before = performance.now()
    const asking = ask()
    await vi.waitFor(async () => expect(await other.client('LIST', 'ID', asks)).toContain(' flags=b '), WAIT_MS)
    const asked = performance.now()
    await other.client('UNPAUSE')
    other.disconnect()
    return { before, asked, answer: await asking }
  }
  const leaseOf = (turn: Turn): number => (turn.kind === 'go' ? turn.leaseFrom : Number.NaN)

  it('lasts from before the fetch was asked for', async () => {
    await accepted(1, () => 'o-turn')
    const { before, asked, answer } = await answeredLate(() => createHand(world, { isReady: () => true }).fetch())
    const from = leaseOf(await answer.run.admit(memberOf(answer.run)))
    expect(from).toBeGreaterThan(before)
    expect(from).toBeLessThan(asked)
  })

  it('that is asked for lasts from before that', async () => {
    await accepted(1, () => 'o-turn')
    const { run } = await createHand(world).fetch()
    const { before, asked, answer } = await answeredLate(() => run.admit(memberOf(run)))
    expect(leaseOf(answer)).toBeGreaterThanOrEqual(before)
    expect(leaseOf(answer)).toBeLessThan(asked)
  })
})

describe('a message that is behind another', () => {
  it('is parked as if nobody had fetched it, may be cancelled, and its lane is known to have such', async () => {
    const [first = '', second = '', third = ''] = await accepted(3, () => 'o-behind')
    const entered = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    const parked: unknown[] = []
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      parked.push(await world.redis.hget(keys.sendJob(run.id), 'parked'))
      entered.resolve()
      if (run.id === first) await open.promise
      return turn.kind === 'go' ? DELIVERED : turn
    })
    await entered.promise
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendDelayed)).toBe(2), WAIT_MS)
    for (const id of [second, third]) {
      expect(await world.redis.hmget(keys.sendJob(id), 'parked', 'delay')).toEqual(['1', '86400000'])
      expect(await world.redis.exists(keys.sendLock(id))).toBe(0)
    }
    expect(await world.redis.lrange(keys.sendActive, '0', '-1')).toEqual([first])
    expect(await world.redis.zscore(keys.parkedLanes, keys.lane('o-behind'))).not.toBeNull()
    expect(await world.outbox().cancel(second)).toBe('cancelled')
    open.resolve()
    await untilCompleted(2)
    expect(parked).toEqual([null, '0'])
  })
})

describe('a delivery', () => {
  it('ends the row of faults, and is no longer among those that expire', async () => {
    await world.redis.hset(keys.faultsInARow, 'road', '4')
    await world.outbox().send({ ...text('o-ends'), expiresAt: Date.now() + 60_000 })
    await world.consumer(delivering([]))
    await untilCompleted(1)
    expect(await world.redis.exists(keys.faultsInARow, keys.expiring, keys.lane('o-ends'))).toBe(0)
  })

  it.each([
    ['was taken by another worker', (id: string) => world.redis.set(keys.sendLock(id), 'another', 'PX', 60_000)],
    ['has lapsed', (id: string) => world.redis.del(keys.sendLock(id))],
  ])('is recorded although its lock %s', async (_what, lose) => {
    const [first = '', second = ''] = await accepted(2, () => 'o-late')
    const sent: string[] = []
    const deliver = delivering(sent)
    await world.consumer(async (run) => {
      const settlement = await deliver(run)
      if (run.id === first) await lose(run.id)
      return settlement
    })
    await vi.waitFor(() => expect(sent).toContain(second), WAIT_MS)
    const fields = await world.redis.hmget(keys.sendJob(first), 'settled', 'sending', 'returnvalue')
    expect(fields).toEqual(['delivered', '', expect.stringContaining('delivered')])
  })

  it('makes no job of one that was removed under it', async () => {
    const [id = ''] = await accepted(1, () => 'o-gone')
    const sent: string[] = []
    const deliver = delivering(sent)
    await world.consumer(async (run) => {
      const settlement = await deliver(run)
      await world.redis.del(keys.sendJob(run.id))
      return settlement
    })
    await vi.waitFor(async () => expect(await world.redis.exists(keys.lane('o-gone'))).toBe(0), WAIT_MS)
    expect(await world.redis.exists(keys.sendJob(id), keys.lane('o-gone'))).toBe(0)
  })

  it('is marked as settled when it is completed, so that nobody sends it again', async () => {
    const [id = ''] = await accepted(1, () => 'o-marked')
    await world.consumer(delivering([]))
    await untilCompleted(1)
    expect(await world.redis.hmget(keys.sendJob(id), 'settled', 'sending')).toEqual(['delivered', ''])
  })
})
