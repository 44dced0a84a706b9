import { describe, expect, it, vi } from 'vitest'
import { inspectLanes, type LaneProblem } from '../../src/lanes/inspect.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { APP, attemptMade, delivering, keys, memberOf, ownWorld, text } from '../support/world.ts'

const world = ownWorld()

const LIMIT = { timeout: 10_000, interval: 20 }

async function inspect(options: { repair?: boolean; againAfterMs?: number } = {}): Promise<LaneProblem[]> {
  const found: LaneProblem[] = []
  for await (const one of inspectLanes(world.store, { appid: APP, againAfterMs: 20, ...options })) found.push(one)
  return found
}

/** Sends so many messages to one person, one after the other, and returns their ids. */
const accept = (touser: string, count: number): Promise<string[]> =>
  world.accept(Array.from({ length: count }, () => text(touser)))

const lane = (touser: string): Promise<string[]> => world.redis.lrange(keys.lane(touser), '0', '-1')

/** Lets everything that can be sent be sent, and returns the ids in the order in which that was done. */
async function deliverAll(count: number): Promise<string[]> {
  const sent: string[] = []
  await world.consumer(delivering(sent))
  await vi.waitFor(() => expect(sent).toHaveLength(count), LIMIT)
  await vi.waitFor(async () => expect(await world.redis.keys('*:lane:*')).toEqual([]), LIMIT)
  return sent
}

/** The problem of one lane, with everything that is not named empty. */
const problem = (given: Partial<LaneProblem> & { touser: string }): LaneProblem => ({
  ghosts: [],
  duplicates: [],
  missing: [],
  parkedFirst: [],
  ...given,
})

/** Has a consumer park the second of two messages while the first is being sent, and stops with both where they are. */
async function parkSecond(touser: string): Promise<[string, string]> {
  const [first = '', second = ''] = await accept(touser, 2)
  const gate = Promise.withResolvers<void>()
  const { consumer } = await world.consumer(async (run: Run): Promise<Settlement> => {
    const turn = await run.admit(memberOf(run))
    if (turn.kind !== 'go') return turn
    await gate.promise
    return { kind: 'snooze', delayMs: 60_000, counts: true, attempts: [attemptMade({ outcome: 'retry' })] }
  })
  await vi.waitFor(async () => expect(await world.redis.hget(keys.sendJob(second), 'parked')).toBe('1'), LIMIT)
  gate.resolve()
  await vi.waitFor(async () => expect(await world.redis.zscore(keys.sendDelayed, first)).not.toBeNull(), LIMIT)
  await consumer.close(2000)
  return [first, second]
}

describe('lanes that disagree with the queue', () => {
  it('are found and mended when they hold messages that are gone', async () => {
    const [gone = '', ...rest] = await accept('o-ghost', 3)
    await world.send.remove(gone)
    await world.redis.rpush(keys.lane('o-ghost'), 'm-never')
    await world.redis.rpush(keys.lane('o-nobody'), 'm-nobody')
    const expected = [
      problem({ touser: 'o-ghost', ghosts: [gone, 'm-never'], parkedFirst: rest.slice(0, 1) }),
      problem({ touser: 'o-nobody', ghosts: ['m-nobody'] }),
    ]
    const byName = (a: LaneProblem, b: LaneProblem): number => a.touser.localeCompare(b.touser)
    expect((await inspect()).sort(byName)).toEqual(expected)
    expect(await lane('o-ghost')).toHaveLength(4)
    expect((await inspect({ repair: true })).sort(byName)).toEqual(expected)
    expect(await lane('o-ghost')).toEqual(rest)
    expect(await inspect()).toEqual([])
    expect(await deliverAll(2)).toEqual(rest)
  })

  it('are found and mended when they hold a message that is over, by whatever hand', async () => {
    const [settled = '', completed = '', last = ''] = await accept('o-over', 3)
    await world.redis.hset(keys.sendJob(settled), 'settled', 'delivered')
    await world.redis.zrem(keys.sendDelayed, completed)
    await world.redis.zadd(`${keys.sendJobs}completed`, Date.now(), completed)
    expect(await inspect({ repair: true })).toEqual([
      problem({ touser: 'o-over', ghosts: [settled, completed], parkedFirst: [last] }),
    ])
    expect(await lane('o-over')).toEqual([last])
  })

  it('are found and mended when they hold a message twice', async () => {
    const ids = await accept('o-twice', 3)
    await world.redis.rpush(keys.lane('o-twice'), ...ids.slice(0, 2), ids[0] ?? '')
    expect(await inspect()).toEqual([problem({ touser: 'o-twice', duplicates: ids.slice(0, 2) })])
    await inspect({ repair: true })
    expect(await lane('o-twice')).toEqual(ids)
    expect(await inspect()).toEqual([])
    expect(await deliverAll(3)).toEqual(ids)
  })

  it('are found and mended when messages that wait are missing, in the order in which they were accepted', async () => {
    const ids = await accept('o-missing', 450)
    await world.redis.del(keys.lane('o-missing'))
    expect(await inspect()).toEqual([problem({ touser: 'o-missing', missing: ids })])
    await inspect({ repair: true })
    expect(await lane('o-missing')).toEqual(ids)
    expect(await inspect()).toEqual([])
    expect(await deliverAll(450)).toEqual(ids)
  })

  it('are found and mended when a parked message is missing, and one in its backoff keeps it', async () => {
    const [first, second] = await parkSecond('o-held')
    const [third = ''] = await accept('o-held', 1)
    await world.redis.del(keys.lane('o-held'))
    const [found] = await inspect({ repair: true })
    expect(found).toMatchObject({ missing: [first, second, third], parkedFirst: [] })
    expect(await lane('o-held')).toEqual([first, second, third])
    expect(await world.redis.zscore(keys.sendDelayed, first)).not.toBeNull()
    expect(await world.redis.hget(keys.sendJob(second), 'parked')).toBe('1')
    expect(await inspect()).toEqual([])
  })

  it('are found and mended when the first is parked and nobody is left to wake it', async () => {
    const [first, second] = await parkSecond('o-parked')
    await world.redis.lrem(keys.lane('o-parked'), 1, first)
    await world.send.remove(first)
    expect(await inspect()).toEqual([problem({ touser: 'o-parked', parkedFirst: [second] })])
    await inspect({ repair: true })
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([second])
    expect(await deliverAll(1)).toEqual([second])
  })

  it('are ghosts, and are mended, after the queue was obliterated', async () => {
    for (let person = 0; person < 3; person += 1) await accept(`o-${person}`, 2)
    await world.send.obliterate({ force: true })
    const found = await inspect({ repair: true })
    expect(found.map(({ ghosts }) => ghosts.length)).toEqual([2, 2, 2])
    expect(await world.redis.keys('*:lane:*')).toEqual([])
    const ids = await accept('o-1', 2)
    expect(await deliverAll(2)).toEqual(ids)
  })

  it('are mended by one of two inspections that run at the same time', async () => {
    const ids = await accept('o-both', 20)
    await world.redis.del(keys.lane('o-both'))
    await Promise.all([inspect({ repair: true }), inspect({ repair: true })])
    expect(await lane('o-both')).toEqual(ids)
  })
})

describe('lanes that agree with the queue', () => {
  it('are not reported for what is scheduled, or has just become due', async () => {
    const outbox = world.outbox()
    await outbox.send({ ...text('o-later'), sendAt: Date.now() + 60_000 })
    const due = await outbox.send({ ...text('o-due'), sendAt: Date.now() + 60_000 })
    await (await world.send.getJob(due.id))?.promote()
    expect(await world.redis.lrange(keys.sendWait, '0', '-1')).toEqual([due.id])
    expect(await inspect()).toEqual([])
  })

  it('are not reported while messages are accepted and delivered, and are left in order by a repair', async () => {
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await world.consumer(delivering(sent))
    const outbox = world.outbox()
    const accepted: string[] = []
    const reports: LaneProblem[] = []
    const load = async (): Promise<void> => {
      for (let round = 0; round < 40; round += 1) {
        const results = await outbox.sendMany(Array.from({ length: 100 }, (_, n) => text(`o-${n % 15}`)))
        for (const [n, result] of results.entries()) if ('id' in result) accepted.push(`${n % 15} ${result.id}`)
      }
    }
    let loading = true
    const loaded = load().finally(() => (loading = false))
    let looks = 0
    for (; loading || sent.length < 4000; looks += 1) reports.push(...(await inspect({ repair: looks % 2 === 1 })))
    await loaded
    expect(reports).toEqual([])
    expect(looks).toBeGreaterThan(3)
    const place = new Map(sent.map((id, at) => [id, at]))
    for (let person = 0; person < 15; person += 1) {
      const mine = accepted.filter((one) => one.startsWith(`${person} `)).map((one) => one.split(' ')[1] ?? '')
      const places = mine.map((id) => place.get(id) ?? -1)
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }
  }, 60_000)
})
