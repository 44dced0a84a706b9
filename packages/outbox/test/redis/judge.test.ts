import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { createJudge, type Judge } from '../../src/redis/judge.ts'
import { openStore } from '../../src/redis/store.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
const clients: ReturnType<typeof connectRedis>[] = []
beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await world.close()
})

async function anotherJudge(): Promise<Judge> {
  const client = connectRedis(world.url, 'work')
  clients.push(client)
  await whenReady(client, 5000)
  const store = await openStore(client)
  return createJudge(() => Promise.resolve(store))
}

const increment = (judge: Judge, key: string): Promise<number> =>
  judge.step([key], async ({ redis }) => {
    const next = Number((await redis.get(key)) ?? 0) + 1
    return { result: next, build: (multi) => multi.set(key, String(next)) }
  })

describe('a step', () => {
  it('loses no update of 50 at once', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, () => increment(world.judge, 'counter')))
    expect(await world.redis.get('counter')).toBe('50')
    expect(results).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
  })

  it('loses no update of 50 at once on several connections: what it cannot do it says', async () => {
    const judges = [world.judge, await anotherJudge(), await anotherJudge()]
    const steps = Array.from({ length: 50 }, (_, n) => increment(judges[n % 3] ?? world.judge, 'contended'))
    const settled = await Promise.allSettled(steps)
    const done = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(done.length).toBeGreaterThan(0)
    expect(await world.redis.get('contended')).toBe(String(done.length))
    expect(new Set(done).size).toBe(done.length)
    for (const one of settled)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'WXO_UNAVAILABLE' })
  })

  it('looks again when what it looked at has changed, and changes nothing by the old look', async () => {
    let looks = 0
    const seen = await world.judge.step(['moving'], async ({ redis }) => {
      looks += 1
      const value = await redis.get('moving')
      if (looks <= 3) await world.redis.set('moving', `changed ${looks}`)
      return { result: value, build: (multi) => multi.rpush('done', String(value)) }
    })
    expect([looks, seen]).toEqual([4, 'changed 3'])
    expect(await world.redis.lrange('done', '0', '-1')).toEqual(['changed 3'])
  })

  it('ends with an error when its key keeps changing', async () => {
    let looks = 0
    const step = world.judge.step(['restless'], async () => {
      looks += 1
      await world.redis.incr('restless')
      return { result: null, build: (multi) => multi.set('never', '1') }
    })
    await expect(step).rejects.toMatchObject({ code: 'WXO_UNAVAILABLE' })
    expect(looks).toBe(20)
    expect(await world.redis.exists('never')).toBe(0)
  })

  it('looks again when its connection was replaced, on which nothing is watched', async () => {
    const client = connectRedis(world.url, 'produce')
    client.on('error', () => undefined)
    clients.push(client)
    await whenReady(client, 5000)
    const store = await openStore(client)
    const judge = createJudge(() => Promise.resolve(store))
    let looks = 0
    await judge.step(['replaced'], async ({ redis }) => {
      looks += 1
      const seen = await redis.get('replaced')
      if (looks === 1) {
        const closed = new Promise((resolve) => redis.once('close', resolve))
        redis.disconnect(true)
        await closed
        await whenReady(redis, 5000)
        await world.redis.set('replaced', 'by another')
      }
      return { result: null, build: (multi) => multi.set('replaced', `after ${seen}`) }
    })
    expect(looks).toBe(2)
    expect(await world.redis.get('replaced')).toBe('after by another')
  })

  it('may only look', async () => {
    expect(await world.judge.step(['looked-at'], () => Promise.resolve({ result: 'seen' }))).toBe('seen')
    await world.redis.set('looked-at', '1')
    // Had the key stayed under watch, this would need a second look.
    let looks = 0
    await world.judge.step(['another'], () => {
      looks += 1
      return Promise.resolve({ result: null, build: (multi) => multi.set('another', '1') })
    })
    expect(looks).toBe(1)
  })

  it('that fails says so and does not hold up the next', async () => {
    const failing = world.judge.step(['failing'], () => Promise.reject(new Error('a bug')))
    const next = increment(world.judge, 'after-failure')
    await expect(failing).rejects.toThrow('a bug')
    expect(await next).toBe(1)
  })

  it('tells of a command that fails inside its transaction', async () => {
    await world.redis.set('text', 'a')
    const step = world.judge.step(['text'], () =>
      Promise.resolve({ result: null, build: (multi) => multi.incr('text') }),
    )
    await expect(step).rejects.toThrow(/not an integer/)
  })
})
