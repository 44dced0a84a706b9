// A real Redis that refuses to write while calls are open: what WeChat has answered is kept and recorded when Redis writes
// again. None is sent twice, none is dead, and none looks as if its worker had died.
import { describe, expect, it, vi } from 'vitest'
import { gatedWechat } from '../support/gated-wechat.ts'
import { REFUSALS, whileRefusing } from '../support/refusals.ts'
import { delivering, keys, ownWorld, type Reported, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })
const OPEN = 10

describe.each([300, 3000])('with calls open, for %d ms', (ms) => {
  it.each(REFUSALS)('Redis answers %s, and each message is delivered once', async (how) => {
    const wechat = gatedWechat()
    // Half of them must not be sent twice; and of each person another one waits.
    const doubtful = (n: number) => (n % 2 === 0 ? {} : { ifUnsure: 'dead-letter' as const })
    const people = Array.from({ length: 2 * OPEN }, (_, n) => `o-${n}`)
    const ids = await world.accept(people.map((one, n) => ({ ...text(one), ...doubtful(n) })))
    ids.push(...(await world.accept(people.map((one, n) => ({ ...text(one, 'next'), ...doubtful(n) })))))
    const workers: Reported[] = []
    for (let n = 0; n < 2; n += 1) workers.push(await world.consumer(wechat.deliver, { concurrency: OPEN / 2 }))
    await until(() => expect(wechat.sent).toHaveLength(OPEN))
    await whileRefusing(world.url, { how, ms }, async () => {
      wechat.answer()
      // A script that has begun with a removal may go on where memory is short, so a settlement is not refused then; and
      // connections leave a server that takes no writes, mostly before it refuses any.
      if (how === 'OOM' || how === 'READONLY') return
      const troubles = () => workers.map(({ consumer }) => consumer.trouble()?.error.split(' ')[0])
      await until(() => expect(troubles()).toEqual([how, how]))
    })
    await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
    expect(wechat.sent.toSorted()).toEqual(ids.toSorted())
    expect(wechat.interrupted).toEqual([])
    expect(await world.redis.zcard(keys.deadFailed)).toBe(0)
    expect(await world.redis.zcard(keys.sendFailed)).toBe(0)
    for (const { consumer, troubles, dead } of workers) {
      expect([consumer.trouble(), dead]).toEqual([undefined, []])
      expect(troubles.length).toBeLessThanOrEqual(2)
    }
    // One line for a row of refusals, of whatever it is that was refused.
    const lines = workers.flatMap(({ problems }) => problems)
    expect(lines.length, JSON.stringify(lines)).toBeLessThan(40)
    for (const id of ids) {
      const job = await world.redis.hmget(keys.sendJob(id), 'atm', 'stacktrace')
      expect(job).toEqual(['1', null])
    }
  })
})

describe('an app with a rate', () => {
  it.each(REFUSALS)(
    'while Redis answers %s, is fetched again from time to time, and says so now and then',
    async (how) => {
      const sent: string[] = []
      const { problems } = await world.consumer(delivering(sent), { maxPerSecond: 1000 })
      const ids: string[] = []
      await world.accept([text('o-first')]).then((first) => ids.push(...first))
      await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(1))
      ids.push(
        ...(await world.accept(
          Array.from({ length: 20 }, (_, n) => ({ ...text(`o-${n}`), sendAt: Date.now() + 200 })),
        )),
      )
      // They become due while nothing can be fetched.
      await whileRefusing(world.url, { how, ms: 1500 }, () => Promise.resolve())
      await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
      expect(sent.toSorted()).toEqual(ids.toSorted())
      // Of the fetch, of the wait for markers, and of each look at the queues.
      expect(problems.length, JSON.stringify(problems)).toBeLessThan(40)
    },
  )
})
