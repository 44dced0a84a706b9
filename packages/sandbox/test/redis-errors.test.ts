import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type LocalRedis, REDIS_ERRORS, scriptNamesOf, startLocalRedis } from '../src/index.ts'

let dir: string
let server: LocalRedis
let redis: Redis

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'redis-errors-'))
  server = await startLocalRedis({ dir, appendonly: false, args: ['--dbfilename', 'taken'] })
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.kill9()
  await rm(dir, { recursive: true, force: true })
})

const write = () => redis.set('key', 'value').catch((error: Error) => error.message)

it('holds the words of a Redis that has too few replicas', async () => {
  await redis.config('SET', 'min-replicas-to-write', '1')
  expect(await write()).toBe(REDIS_ERRORS.NOREPLICAS)
  await redis.config('SET', 'min-replicas-to-write', '0')
  expect(await write()).toBe('OK')
})

it('holds the words of a Redis that is full', async () => {
  await redis.config('SET', 'maxmemory', '1')
  expect(await write()).toBe(REDIS_ERRORS.OOM)
  await redis.config('SET', 'maxmemory', '0')
})

it('holds the words of a replica', async () => {
  await redis.replicaof('127.0.0.1', '1')
  expect(await write()).toBe(REDIS_ERRORS.READONLY)
  await redis.replicaof('NO', 'ONE')
})

it('holds the words of a Redis that is busy with a script', async () => {
  await redis.config('SET', 'busy-reply-threshold', '1')
  const other = redis.duplicate()
  const looping = other.eval('while true do end', 0).catch(() => undefined)
  await vi.waitFor(async () => expect(await write()).toBe(REDIS_ERRORS.BUSY), { timeout: 20_000 })
  await redis.script('KILL')
  await looping
  other.disconnect()
})

it('holds the words for a script that is not there', async () => {
  const error = await redis.evalsha('0'.repeat(40), 0).catch(({ message }: Error) => message)
  expect(error).toBe(REDIS_ERRORS.NOSCRIPT)
})

it('tells scripts by their digest and by their text', () => {
  const client = new Redis({ lazyConnect: true })
  const nameOf = scriptNamesOf(client)
  client.defineCommand('double', { lua: 'return ARGV[1] * 2' })
  expect(nameOf(['evalsha', '5FA8DBCA9B3C1D0B0C2A7F0F3D3F6B8E8A0B7C11', '0'])).toBeUndefined()
  expect(nameOf(['eval', 'return ARGV[1] * 2', '0', '2'])).toBe('double')
  const { sha } = (client as unknown as { scriptsSet: { double: { sha: string } } }).scriptsSet.double
  expect(nameOf(['evalsha', sha, '0', '2'])).toBe('double')
  expect(nameOf(['get', sha])).toBeUndefined()
})
