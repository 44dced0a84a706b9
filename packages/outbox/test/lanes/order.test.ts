import { describe, expect, it, vi } from 'vitest'
import type { Run } from '../../src/worker/run.ts'
import { createHand } from '../support/hand.ts'
import {
  ASKING,
  attemptMade,
  DELIVERED,
  delivering,
  dies,
  keys,
  memberOf,
  ownWorld,
  retry,
  text,
  touserOf,
} from '../support/world.ts'

const world = ownWorld()

describe('order', () => {
  it('holds for one person through retries, while others do not wait', async () => {
    const outbox = world.outbox()
    const sent: string[] = []
    const tried = new Map<string, number>()
    const content = (run: Run): string => (run.data as { text: { content: string } }).text.content
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      const tries = (tried.get(run.id) ?? 0) + 1
      tried.set(run.id, tries)
      // Every third message of the slow person is refused twice before it is taken.
      if (touserOf(run) === 'o-slow' && Number(content(run)) % 3 === 0 && tries <= 2) return retry(20)
      sent.push(`${touserOf(run)} ${content(run)}`)
      return { kind: 'delivered', attempts: [attemptMade()] }
    })
    const numbers = Array.from({ length: 60 }, (_, n) => n)
    await outbox.sendMany(numbers.flatMap((n) => [text('o-slow', `${n}`), text(`o-other${n}`, `${n}`)]))
    await vi.waitFor(() => expect(sent).toHaveLength(120), 20_000)
    expect(sent.filter((one) => one.startsWith('o-slow'))).toEqual(numbers.map((n) => `o-slow ${n}`))
    expect(await world.redis.keys('*:lane:*')).toEqual([])
  })

  it('holds over two consumers and many people', async () => {
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await world.consumer(delivering(sent))
    const ids = await world.accept(Array.from({ length: 900 }, (_, n) => text(`o-${n % 30}`)))
    await vi.waitFor(() => expect(sent).toHaveLength(900), 30_000)
    const place = new Map(sent.map((id, at) => [id, at]))
    for (let person = 0; person < 30; person += 1) {
      const places = ids.filter((_, n) => n % 30 === person).map((id) => place.get(id) ?? -1)
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }
  })

  it('shows a follower as held, and lets it go when the one before it dies', async () => {
    const outbox = world.outbox()
    const [first, second] = await outbox.sendMany([text('o-held'), text('o-held')])
    const firstId = first && 'id' in first ? first.id : ''
    const secondId = second && 'id' in second ? second.id : ''
    const gate = Promise.withResolvers<void>()
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      if (run.id === firstId) {
        await gate.promise
        return dies()
      }
      return { kind: 'delivered', attempts: [attemptMade()] }
    })
    await vi.waitFor(async () => expect((await outbox.status(secondId))?.status).toBe('held'), 5000)
    gate.resolve()
    await vi.waitFor(async () => expect((await outbox.status(secondId))?.status).toBe('delivered'), 5000)
    expect((await outbox.status(firstId))?.status).toBe('dead')
  })

  it('does not leave a message parked that became first while it was being parked', async () => {
    const outbox = world.outbox()
    const [firstId = '', secondId = ''] = await world.accept([text('o-look'), text('o-look')])
    const told = Promise.withResolvers<void>()
    const turns: string[] = []
    // By other means a message may be fetched that is behind another: its run asks for its turn, and is refused.
    await world.redis.hset(keys.sendJob(secondId), 'sending', '1 another run')
    await world.redis.multi().zrem(keys.sendDelayed, secondId).lpush(keys.sendWait, secondId).exec()
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (run.id === firstId) await told.promise
      else {
        turns.push(turn.kind)
        // It has been told to park; only then the one before it is settled, and nobody sees it parked.
        told.resolve()
        await vi.waitFor(async () => expect((await outbox.status(firstId))?.status).toBe('delivered'), 5000)
      }
      return turn.kind === 'go' ? { kind: 'delivered', attempts: [attemptMade()] } : turn
    }, ASKING)
    await vi.waitFor(async () => expect((await outbox.status(secondId))?.status).toBe('delivered'), 5000)
    expect(turns).toEqual(['park', 'go'])
  })

  it('costs a lost lane its order and no message', async () => {
    const ids = await world.accept([text('o-lane'), text('o-lane'), text('o-lane')])
    await world.redis.del(keys.lane('o-lane'))
    const sent: string[] = []
    await world.consumer(delivering(sent))
    // Who has not been woken looks again after its minute, which is over at once here.
    await vi.waitFor(async () => {
      for (const job of await world.send.getDelayed()) await job.promote().catch(() => undefined)
      expect(sent.toSorted()).toEqual(ids.toSorted())
    }, 10_000)
  })

  it('holds for scheduled messages that are due: one that is fetched behind another is parked, and follows it', async () => {
    const sendAt = Date.now() + 3_600_000
    const later = { ...text('o-later'), sendAt }
    const [first = '', second = ''] = await world.accept([later, later])
    const hand = createHand(world)
    await world.redis.zadd(keys.sendDelayed, 1, first)
    const held = await hand.fetch()
    expect(held.id).toBe(first)
    await held.run.admit(memberOf(held.run))
    await world.redis.zadd(keys.sendDelayed, 1, second)
    await expect(hand.fetch()).rejects.toThrow('nothing waits')
    expect(await world.redis.hget(keys.sendJob(second), 'parked')).toBe('1')
    expect(await world.redis.lrange(keys.lane('o-later'), '0', '-1')).toEqual([first, second])
    await held.settle(DELIVERED)
    expect((await hand.fetch()).id).toBe(second)
  })

  it('puts parked messages off again whose day is over, without fetching any', async () => {
    // More than one fetch would park.
    const [first = '', ...rest] = await world.accept(Array.from({ length: 151 }, () => text('o-parked')))
    const hand = createHand(world)
    expect((await hand.fetch()).id).toBe(first)
    await world.redis.zadd(keys.sendDelayed, ...rest.flatMap((id) => [1, id]))
    await expect(hand.fetch()).rejects.toThrow('nothing waits')
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([])
    expect(await world.redis.zcount(keys.sendDelayed, (Date.now() + 80_000_000) * 0x1000, '+inf')).toBe(rest.length)
  })

  it('leaves a message in its backoff that becomes the first, whatever made it come later', async () => {
    const hand = createHand(world)
    const [first = ''] = await world.accept([text('o-slow')])
    const held = await hand.fetch()
    await held.run.admit(memberOf(held.run))
    await held.settle(retry(60_000))
    // Hands have put another before it.
    const [other = ''] = await world.accept([text('o-other')])
    await world.redis.lpush(keys.lane('o-slow'), other)
    const before = await hand.fetch()
    expect(before.id).toBe(other)
    await before.run.admit({ touser: 'o-slow' })
    // Somebody else is parked there, or nobody would be looked for.
    await world.accept([text('o-slow')])
    await before.settle(DELIVERED)
    await expect(hand.fetch()).rejects.toThrow('nothing waits')
    expect(await world.redis.zscore(keys.sendDelayed, first)).not.toBeNull()
  })

  it('wakes nobody out of a backoff', async () => {
    const outbox = world.outbox()
    const turns: string[] = []
    await world.consumer(async (run) => {
      const turn = await run.admit(memberOf(run))
      turns.push(`${run.id} ${turn.kind}`)
      return turn.kind === 'go' ? retry(60_000) : turn
    }, ASKING)
    const [first = '', second = ''] = await world.accept([text('o-backoff'), text('o-backoff')])
    await vi.waitFor(async () => expect((await outbox.status(first))?.status).toBe('retrying'), 5000)
    expect(await outbox.cancel(second)).toBe('cancelled')
    // Whoever was woken by that stands before this one in the queue.
    const other = await outbox.send(text('o-not-slow'))
    await vi.waitFor(() => expect(turns).toEqual([`${first} go`, `${other.id} go`]), 5000)
  })
})
