import { describe, expect, it, vi } from 'vitest'
import { healLanes } from '../../src/lanes/heal.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { createHand } from '../support/hand.ts'
import { spoil } from '../support/spoil.ts'
import { APP, attemptMade, DELIVERED, delivering, keys, memberOf, ownWorld, text } from '../support/world.ts'

const world = ownWorld()

/** Messages to one person, of which the first hangs in its call and the others are parked. */
async function heldUp(count: number): Promise<{ ids: string[]; sent: string[]; release: () => void }> {
  const gate = Promise.withResolvers<void>()
  const sent: string[] = []
  const ids = await world.accept(Array.from({ length: count }, (_, n) => text('o-held', `n${n}`)))
  const deliver = async (run: Run): Promise<Settlement> => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    if (run.id === ids[0]) await gate.promise
    sent.push(run.id)
    return { kind: 'delivered', attempts: [attemptMade()] }
  }
  await world.consumer(deliver)
  await vi.waitFor(async () => expect(await world.send.getDelayedCount()).toBe(count - 1), 10_000)
  return { ids, sent, release: gate.resolve }
}

describe('a lane that stands still', () => {
  it('goes on after the message in front, and those behind it, were removed by hand', async () => {
    const { ids, sent, release } = await heldUp(5)
    for (const id of ids.slice(1, 3)) await (await world.send.getJob(id))?.remove()
    // The one that hangs is taken away under its worker, which then finds nothing to settle.
    await world.redis.del(keys.sendJob(ids[0] ?? ''))
    expect(sent).toEqual([])
    expect(await healLanes(world.store, APP, 0)).toBe(1)
    await vi.waitFor(() => expect(sent).toEqual(ids.slice(3)), 5000)
    release()
    expect(await world.redis.exists(keys.lane('o-held'), keys.parkedLanes)).toBe(0)
  })

  it('is remembered in the step that stores a message behind another, so that no crash leaves one alone', async () => {
    const [, second = ''] = await world.accept([text('o-crash'), text('o-crash')])
    expect(await world.redis.zscore(keys.parkedLanes, keys.lane('o-crash'))).not.toBeNull()
    expect(await world.redis.hget(keys.sendJob(second), 'parked')).toBe('1')
  })

  it('that was deleted gets its messages back', async () => {
    const { ids, sent, release } = await heldUp(4)
    await world.redis.del(keys.lane('o-held'))
    await healLanes(world.store, APP, 0)
    await vi.waitFor(() => expect(sent.toSorted()).toEqual(ids.slice(1).toSorted()), 10_000)
    release()
    await vi.waitFor(() => expect(sent).toHaveLength(4), 5000)
  })

  it('goes on after the whole queue was obliterated', async () => {
    const { sent, release } = await heldUp(4)
    await world.send.obliterate({ force: true })
    const { id } = await world.outbox().send(text('o-held', 'afterwards'))
    await vi.waitFor(() => expect(sent).toEqual([id]), 5000)
    release()
  })

  it('is not looked at while it moves, nor when nobody waits in it', async () => {
    const { release, sent } = await heldUp(3)
    expect(await healLanes(world.store, APP, 60_000)).toBe(0)
    release()
    await vi.waitFor(() => expect(sent).toHaveLength(3), 5000)
    await vi.waitFor(async () => expect(await world.redis.exists(keys.parkedLanes)).toBe(0), 5000)
  })
})

describe('a lane with more at its front than one script drops, of messages that were removed by hand,', () => {
  const waiting = () => world.redis.lrange(keys.sendWait, '0', '-1')
  const removed = (count: number) =>
    world.redis.lpush(keys.lane('o-one'), ...Array.from({ length: count }, (_, n) => `m-removed-${n}`))

  it('is still noted when a message leaves it, and its next one goes', async () => {
    const [, second = ''] = await world.accept([text('o-one'), text('o-one')])
    const held = await createHand(world).fetch()
    await removed(1500)
    await held.settle(DELIVERED)
    await healLanes(world.store, APP, 0)
    expect(await waiting()).toEqual([second])
  })

  it('is gone through by one look', async () => {
    const [first = '', second = ''] = await world.accept([text('o-one'), text('o-one')])
    await (await world.send.getJob(first))?.remove()
    await removed(3500)
    await healLanes(world.store, APP, 0)
    expect(await waiting()).toEqual([second])
  })

  it('takes no message a second time', async () => {
    const [first = '', second = ''] = await world.accept([text('o-one'), text('o-one')])
    await (await world.send.getJob(first))?.remove()
    await removed(3500)
    await (await world.send.getJob(second))?.promote()
    await expect(createHand(world).fetch()).rejects.toThrow('nothing waits')
    expect((await world.redis.lrange(keys.lane('o-one'), '0', '-1')).filter((id) => id === second)).toHaveLength(1)
    await healLanes(world.store, APP, 0)
    expect(await waiting()).toEqual([second])
  })
})

describe('where another program has put something else under a key,', () => {
  const waiting = () => world.redis.lrange(keys.sendWait, '0', '-1')

  /** Two people's messages, of which those in front were removed by hand. Returns the ones behind. */
  async function leftAlone(): Promise<[string, string]> {
    const people = ['o-spoilt', 'o-sound']
    const [first = '', second = ''] = await world.accept(people.map((touser) => text(touser)))
    const behind = await world.accept(people.map((touser) => text(touser)))
    for (const id of [first, second]) await (await world.send.getJob(id))?.remove()
    return behind as [string, string]
  }

  it('one lane holds up no other, and is looked at again later', async () => {
    const [behind, sound] = await leftAlone()
    const lane = keys.lane('o-spoilt')
    const mend = await spoil(world.redis, lane)
    await world.redis.zadd(keys.parkedLanes, '1', lane)
    const told = await healLanes(world.store, APP, 0).catch(String)
    expect(told).toMatch(/^Error: 1 passed over: a lane: .*WRONGTYPE/)
    expect(told).not.toContain('o-spoilt')
    expect(await waiting()).toEqual([sound])
    expect(Number(await world.redis.zscore(keys.parkedLanes, lane))).toBeGreaterThan(1)
    await mend()
    await healLanes(world.store, APP, 0)
    expect(await waiting()).toEqual([sound, behind])
  })

  it('one message holds up no other lane, and is named', async () => {
    const [behind, sound] = await leftAlone()
    await world.redis.lpop(keys.lane('o-spoilt'))
    const mend = await spoil(world.redis, keys.sendJob(behind))
    await expect(healLanes(world.store, APP, 0)).rejects.toThrow(`the lane of ${behind}: `)
    expect(await waiting()).toEqual([sound])
    await mend()
    await healLanes(world.store, APP, 0)
    expect(await waiting()).toEqual([sound, behind])
  })

  it('the messages of a deleted lane come back when it is mended', async () => {
    const [behind, sound] = await leftAlone()
    await world.redis.del(keys.lane('o-spoilt'), keys.lane('o-sound'))
    for (const key of [keys.sendWait, keys.sendDelayed]) {
      const mend = await spoil(world.redis, key)
      await expect(healLanes(world.store, APP, 0)).rejects.toThrow('WRONGTYPE')
      await mend()
    }
    const mend = await spoil(world.redis, keys.sendJob(behind))
    await expect(healLanes(world.store, APP, 0)).rejects.toThrow(`${behind}: WRONGTYPE`)
    expect(await waiting()).toEqual([sound])
    await mend()
    await healLanes(world.store, APP, 0)
    expect((await waiting()).toSorted()).toEqual([behind, sound].toSorted())
    expect(await world.redis.exists(keys.parkedLanes)).toBe(0)
  })
})

describe('what a message costs', () => {
  it.each([
    { people: 600, each: 1, most: 1 },
    { people: 60, each: 10, most: 2 },
    { people: 1, each: 600, most: 2 },
  ])(
    'is at most $most fetches on average with $each messages to each of $people people',
    async ({ people, each, most }) => {
      const sent: string[] = []
      await world.consumer(delivering(sent))
      const count = people * each
      await world.outbox().sendMany(Array.from({ length: count }, (_, n) => text(`o-${n % people}`)))
      await vi.waitFor(() => expect(sent).toHaveLength(count), 30_000)
      await vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(count), 10_000)
      const jobs = await world.send.getCompleted()
      const fetches = jobs.reduce((sum, job) => sum + job.attemptsStarted, 0)
      expect(fetches / count).toBeLessThanOrEqual(most)
    },
  )
})
