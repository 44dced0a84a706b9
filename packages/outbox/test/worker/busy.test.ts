// What a busy worker asks of Redis, and in which order it is given what waits.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connection.ts'
import { settlerOn } from '../support/hand.ts'
import { DELIVERED, delivering, keys, memberOf, ownWorld, text, WAIT_MS } from '../support/world.ts'

const world = ownWorld()

/** How often each script and command was called, from outside and inside scripts. */
async function callsOf(command: string): Promise<number> {
  const stats = await world.redis.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}
const accepted = (count: number, touser: (at: number) => string): Promise<string[]> =>
  world.accept(Array.from({ length: count }, (_, at) => text(touser(at))))
const untilSent = (sent: string[], ids: readonly string[]): Promise<void> =>
  vi.waitFor(() => expect(sent).toHaveLength(ids.length), WAIT_MS)
const untilCompleted = (count: number): Promise<void> =>
  vi.waitFor(async () => expect(await world.send.getCompletedCount()).toBe(count), WAIT_MS)

describe('a busy worker', () => {
  it.each([
    ['messages to everybody', (at: number) => `o-${at}`],
    ['bursts of five', (at: number) => `o-${Math.floor(at / 5)}`],
  ])('asks Redis less than once per message: %s', async (_what, touser) => {
    const ids = await accepted(1000, touser)
    const before = await callsOf('evalsha')
    const sent: string[] = []
    await world.consumer(delivering(sent))
    await untilCompleted(ids.length)
    // What ends in one turn of the event loop is one script.
    expect((await callsOf('evalsha')) - before).toBeLessThan(ids.length)
  })

  it('asks once for all that ended while Redis had not answered', async () => {
    const settler = settlerOn(world.store, () => true)
    const ask = (n: number) => settler.settle({ kind: 'fetch', id: '', token: `run:${n}`, fetches: true })
    // Redis knows the script from then on.
    await ask(0)
    const before = await callsOf('evalsha')
    const other = connectRedis(world.url, 'operate')
    await other.client('PAUSE', 60_000, 'WRITE')
    const asking: Promise<unknown>[] = []
    for (let n = 1; n < 20; n += 1) {
      asking.push(ask(n))
      await nextTurn()
    }
    await other.client('UNPAUSE')
    other.disconnect()
    await Promise.all(asking)
    expect((await callsOf('evalsha')) - before).toBe(2)
  })

  it('is given no message whose turn has not come', async () => {
    const ids = await accepted(90, () => 'o-hot')
    const runs: string[] = []
    const sent: string[] = []
    const deliver = delivering(sent)
    await world.consumer(async (run) => {
      runs.push(run.id)
      return deliver(run)
    })
    await untilSent(sent, ids)
    expect(sent).toEqual(ids)
    expect(runs).toEqual(ids)
  })

  it('parks no more than a hundred at once', async () => {
    const [first = '', ...rest] = await accepted(301, () => 'o-hot')
    // As workers of an earlier version left them: behind another, and waiting all the same.
    await world.redis.del(keys.sendDelayed, keys.parkedLanes)
    for (const id of rest) await world.redis.multi().hdel(keys.sendJob(id), 'parked').lpush(keys.sendWait, id).exec()
    const entered = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    const runs: string[] = []
    await world.consumer(
      async (run) => {
        runs.push(run.id)
        const turn = await run.admit(memberOf(run))
        if (run.id === first) {
          entered.resolve()
          await open.promise
        }
        return turn.kind === 'go' ? DELIVERED : turn
      },
      { concurrency: 2 },
    )
    await entered.promise
    await vi.waitFor(async () => expect(await world.redis.zcard(keys.sendDelayed)).toBe(300), WAIT_MS)
    expect(runs).toEqual([first])
    open.resolve()
    await untilCompleted(301)
  })

  it('goes on with the next of the same person at once', async () => {
    const ids = await accepted(3, () => 'o-three')
    await accepted(1, () => 'o-other')
    const sent: string[] = []
    await world.consumer(delivering(sent), { concurrency: 1 })
    await untilCompleted(4)
    expect(sent.slice(0, 3)).toEqual(ids)
  })
})
