import { describe, expect, it } from 'vitest'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { type RedisHealth, readRedisHealth, redisProblems, redisUnknowns } from '../../src/redis/health.ts'
import { ownWorld } from '../support/world.ts'

const good: RedisHealth = {
  version: '7.0.15',
  appendOnly: true,
  appendFsync: 'everysec',
  evictionPolicy: 'noeviction',
  usedMemoryBytes: 1,
  maxMemoryBytes: 0,
}

describe('redisProblems', () => {
  it.each([
    {},
    { appendFsync: 'always' },
    { appendFsync: undefined },
    { version: '6.2.0' },
    { version: '8.4.0' },
    { version: '10.0' },
  ])('finds nothing wrong with %j', (change) => expect(redisProblems({ ...good, ...change })).toEqual([]))

  it.each([
    [{ appendOnly: false }, /append-only/],
    [{ appendFsync: 'no' }, /everysec/],
    [{ evictionPolicy: 'allkeys-lru' }, /allkeys-lru.*noeviction/],
    [{ version: '6.0.16' }, /6\.0\.16 is too old/],
    [{ version: '5.0.14' }, /too old/],
  ])('names what is wrong with %j', (change, sentence) => {
    expect(redisProblems({ ...good, ...change })).toEqual([expect.stringMatching(sentence)])
  })

  it('names everything at once', () => {
    const worst = { ...good, appendOnly: false, appendFsync: 'no', evictionPolicy: 'volatile-ttl', version: '4.0' }
    expect(redisProblems(worst)).toHaveLength(4)
  })
})

describe('redisUnknowns', () => {
  const nothing = Object.fromEntries(Object.keys(good).map((name) => [name, undefined])) as unknown as RedisHealth

  it('finds nothing where all is told', () => expect(redisUnknowns(good)).toEqual([]))

  it.each([
    [{ appendFsync: undefined }, [/syncs its file cannot be judged: CONFIG GET/]],
    [{ appendOnly: false, appendFsync: undefined }, []],
    [{ usedMemoryBytes: undefined }, [/How full/]],
    [nothing, [/append-only file/, /CONFIG GET/, /evicts/, /How full/]],
  ])('names what nobody tells of %j', (change, sentences) => {
    const unknowns = redisUnknowns({ ...good, ...change })
    expect(unknowns).toEqual(sentences.map((sentence) => expect.stringMatching(sentence)))
  })

  it('is no problem', () => expect(redisProblems(nothing)).toEqual([]))
})

describe('readRedisHealth', () => {
  const world = ownWorld()

  it('reads a real Redis', async () => {
    const health = await readRedisHealth(world.redis)
    expect(health).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+/),
      appendOnly: true,
      appendFsync: 'everysec',
      evictionPolicy: 'noeviction',
      maxMemoryBytes: 0,
    })
    expect(health.usedMemoryBytes).toBeGreaterThan(100_000)
    expect(redisProblems(health)).toEqual([])
  })

  it('sees what somebody changes', async () => {
    await world.redis.config('SET', 'maxmemory', '100mb')
    await world.redis.config('SET', 'maxmemory-policy', 'allkeys-lfu')
    await world.redis.config('SET', 'appendonly', 'no')
    expect(await readRedisHealth(world.redis)).toMatchObject({
      appendOnly: false,
      evictionPolicy: 'allkeys-lfu',
      maxMemoryBytes: 104_857_600,
    })
  })

  it('does without CONFIG where that is not allowed', async () => {
    await world.redis.call('ACL', 'SETUSER', 'hosted', 'on', '>pw', '~*', '+@all', '-config')
    const client = connectRedis(world.url.replace('redis://', 'redis://hosted:pw@'), 'operate')
    await whenReady(client, 5000)
    expect(await readRedisHealth(client)).toMatchObject({
      appendFsync: undefined,
      appendOnly: true,
      evictionPolicy: 'noeviction',
    })
    client.disconnect()
  })

  it('knows the version alone where INFO is not allowed either', async () => {
    await world.redis.call('ACL', 'SETUSER', 'safe', 'on', '>pw', '~*', '+@all', '-@dangerous')
    const client = connectRedis(world.url.replace('redis://', 'redis://safe:pw@'), 'operate')
    await whenReady(client, 5000)
    const { version, ...others } = await readRedisHealth(client)
    expect(version).toBe((await readRedisHealth(world.redis)).version)
    expect(Object.values(others).filter((value) => value !== undefined)).toEqual([])
    client.disconnect()
  })
})
