import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, type RedisClient, whenReady } from '@wechat-outbox/outbox/engine'
import { type LocalRedis, type RedisProxy, startLocalRedis, startRedisProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { FaultKind } from './support/fault-plan.ts'
import { refuse } from './support/refusals.ts'
import { readWriteCommands } from './support/world.ts'

let dir: string
let redis: LocalRedis
let proxies: RedisProxy[]
let writeCommands: ReadonlySet<string>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wxo-refusals-'))
  redis = await startLocalRedis({ dir, appendonly: false })
  proxies = await Promise.all([1, 2, 3].map(() => startRedisProxy({ targetPort: redis.port })))
  writeCommands = await readWriteCommands(redis.url)
})
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

const SCRIPT = "return redis.call('INCR', KEYS[1])"

/** Writes through a proxy as long as the fault lasts. Returns the first words of the errors. */
async function errorsDuring(client: RedisClient, fault: Promise<unknown>): Promise<Set<string>> {
  const errors = new Set<string>()
  let over = false
  void fault.finally(() => {
    over = true
  })
  while (!over) {
    const sha = await client.script('LOAD', SCRIPT).catch(() => '')
    const commands = [client.incr('plain'), client.get('plain'), client.evalsha(String(sha), 1, 'scripted')]
    for (const result of await Promise.allSettled(commands)) {
      if (result.status === 'rejected') errors.add(String((result.reason as Error).message.split(' ')[0]))
    }
  }
  return errors
}

/** What the clients of worker 1, of worker 2 and of the producers hear during a fault; and that it ends. */
async function play(kind: FaultKind, target: number): Promise<{ heard: string[][]; refused: number }> {
  const [one, two, producers] = proxies as [RedisProxy, RedisProxy, RedisProxy]
  const clients = proxies.map(({ url }) => connectRedis(url, 'operate'))
  for (const client of clients) client.on('error', () => undefined)
  await Promise.all(clients.map((client) => whenReady(client, 10_000)))
  const world = { redisPort: () => redis.port, seenBy: { workers: [one, two], producers }, writeCommands }
  const fault = refuse(world, { kind, target, at: 0, waitMs: 0, lastsMs: 400, restMs: 0 })
  const heard = await Promise.all(clients.map((client) => errorsDuring(client, fault)))
  const refused = await fault
  for (const client of clients) {
    expect(await client.incr('plain')).toBeGreaterThan(0)
    client.disconnect()
  }
  return { heard: heard.map((errors) => [...errors]), refused }
}

it.each([
  ['refuse-noreplicas', 'NOREPLICAS'],
  ['refuse-oom', 'OOM'],
  ['refuse-busy', 'BUSY'],
] as const)('%s: Redis itself refuses everybody, and then nobody', async (kind, word) => {
  const { heard, refused } = await play(kind, 0)
  for (const errors of heard) expect(errors).toContain(word)
  expect(refused).toBeGreaterThan(0)
})

it.each([
  ['one worker', 0, [true, false, false]],
  ['another worker', 4, [false, true, false]],
  ['all workers', 1, [true, true, false]],
  ['the producers', 2, [false, false, true]],
  ['all', 3, [true, true, true]],
] as const)('refuse-readonly and -misconf: %s', async (_who, target, who) => {
  for (const [kind, word] of [
    ['refuse-readonly', 'READONLY'],
    ['refuse-misconf', 'MISCONF'],
  ] as const) {
    const { heard, refused } = await play(kind, target)
    expect(heard).toEqual(who.map((isHit) => (isHit ? [word] : [])))
    expect(refused).toBeGreaterThan(0)
  }
})

it('errors-at-random: everybody meets an error now and then', async () => {
  const met = [new Set<string>(), new Set<string>(), new Set<string>()]
  // A matter of chance, so as often as it takes.
  await vi.waitFor(
    async () => {
      const { heard } = await play('errors-at-random', 3)
      for (const [at, errors] of heard.entries()) for (const error of errors) met[at]?.add(error)
      for (const errors of met) expect(errors.size).toBeGreaterThan(1)
    },
    { timeout: 25_000 },
  )
})

it('script-flush: a digest that was known is unknown', async () => {
  const client = connectRedis(redis.url, 'operate')
  const sha = String(await client.script('LOAD', SCRIPT))
  const world = {
    redisPort: () => redis.port,
    seenBy: { workers: [], producers: proxies[0] as RedisProxy },
    writeCommands,
  }
  const fault = refuse(world, { kind: 'script-flush', target: 0, at: 0, waitMs: 0, lastsMs: 0, restMs: 0 })
  let over = false
  void fault.finally(() => {
    over = true
  })
  while (!over) await client.evalsha(sha, 1, 'scripted').catch(() => undefined)
  expect(await fault).toBeGreaterThan(0)
  client.disconnect()
})
