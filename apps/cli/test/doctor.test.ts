import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { warningsOf } from '../src/commands/doctor.ts'
import { suspend } from './letters.ts'
import { APP, documentOf, runCli, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let wechat: Server
let base: string
let requests: string[]
let world: World | undefined
beforeEach(async () => {
  requests = []
  wechat = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.writeHead(404).end('nothing here')
  }).listen(0, '127.0.0.1')
  await once(wechat, 'listening')
  base = `http://127.0.0.1:${(wechat.address() as { port: number }).port}`
})
afterEach(async () => {
  await world?.close()
  world = undefined
  wechat.closeAllConnections()
  wechat.close()
})

/** As if a worker served the app. */
async function serve({ store: { redis } }: World): Promise<void> {
  await redis.sadd('wxo:apps', APP)
  await redis.set(`{wxo:${APP}}:served`, '1')
}

it('finds nothing wrong with a Redis that persists and a WeChat that answers, whatever it answers', async () => {
  world = await startWorld({ args: ['--maxmemory', '256mb'] })
  await serve(world)
  const env = { WECHAT_API_BASE_URL: base }
  const result = await world.cli(['doctor', '--json'], { env })
  expect(result).toMatchObject({ code: 0, stderr: '' })
  expect(documentOf(result)).toMatchObject({
    ok: true,
    problems: [],
    warnings: [],
    redis: { reachable: true, pingMs: expect.any(Number), clockSkewMs: expect.any(Number), appendFsync: 'everysec' },
    wechat: { reachable: true, isLocal: true, status: 404 },
  })
  expect(requests).toEqual(['GET /'])
  const shown = await world.cli(['doctor'], { env })
  expect(shown.code).toBe(0)
  expect(shown.stdout).toContain('a power cut may lose the last second or two')
  expect(shown.stdout).toContain('✓ Nothing is wrong of what was checked; the credential of 1 app was not.')
  expect(shown.stdout).toMatch(/WeChat +127\.0\.0\.1:\d+ answers .*the fake WeChat of a sandbox/)
})

it('finds a Redis that keeps nothing and may throw everything away', async () => {
  world = await startWorld({ appendonly: false, args: ['--maxmemory', '2mb', '--maxmemory-policy', 'allkeys-lru'] })
  const result = await world.cli(['doctor'], { env: { WECHAT_API_BASE_URL: base } })
  expect(result.code).toBe(1)
  expect(result.stdout).toContain('✗ Redis keeps no append-only file')
  expect(result.stdout).toContain('✗ Redis may evict keys (maxmemory-policy allkeys-lru)')
})

it('finds lanes that disagree with the queue, and mends them when told to', async () => {
  world = await startWorld()
  const env = { WECHAT_API_BASE_URL: base, WECHAT_APP_ID: APP }
  const key = `{wxo:${APP}}:lane:o-lane`
  const { id } = await world.outbox.send({ touser: 'o-lane', msgtype: 'text', text: { content: 'hello' } })
  await world.store.redis.del(key)
  await serve(world)
  await world.store.redis.rpush(key, 'm-gone')
  const found = await world.cli(['doctor', '--json'], { env })
  expect(found).toMatchObject({ code: 1, stderr: '' })
  const item = { appid: APP, touser: 'o-lane', ghosts: ['m-gone'], duplicates: [], missing: [id], parkedFirst: [] }
  const lanes = { found: 1, counts: { ghosts: 1, duplicates: 0, missing: 1, parkedFirst: 0 }, items: [item] }
  expect(documentOf(found)).toMatchObject({
    ok: false,
    problems: [
      '1 lane disagrees with the queue (1 message that is gone, 1 not listed): `wxo doctor --repair` mends that.',
    ],
    lanes: { ...lanes, repaired: false },
  })
  expect(await world.store.redis.lrange(key, '0', '-1')).toEqual(['m-gone'])
  const mended = await world.cli(['doctor', '--repair', '--json'], { env })
  expect(mended).toMatchObject({ code: 0, stderr: '' })
  expect(documentOf(mended)).toMatchObject({ ok: true, problems: [], lanes: { ...lanes, repaired: true } })
  expect(await world.store.redis.lrange(key, '0', '-1')).toEqual([id])
  const after = await world.cli(['doctor'], { env })
  expect(after.code).toBe(0)
  expect(after.stdout).toMatch(/lanes +agree with the queue/)
})

it('finds a WeChat that is not there, and a Redis that is not there, each beside the other', async () => {
  const env = { REDIS_URL: 'redis://someone:geheim@127.0.0.1:1', WECHAT_API_BASE_URL: 'http://127.0.0.1:1' }
  const result = await runCli(['doctor', '--json'], { env })
  expect(result.code).toBe(1)
  expect(documentOf(result)).toMatchObject({
    ok: false,
    problems: [
      expect.stringContaining('ECONNREFUSED'),
      expect.stringContaining('WeChat (127.0.0.1:1) does not answer: '),
    ],
    redis: { reachable: false },
    wechat: { reachable: false },
  })
  expect(result.stdout).not.toContain('geheim')
})

it('finds that no worker serves any app, also before one ever has', async () => {
  world = await startWorld()
  const result = await world.cli(['doctor', '--json'], { env: { WECHAT_API_BASE_URL: base } })
  expect(result.code).toBe(1)
  const problems = [expect.stringContaining('No worker serves any app: what is accepted waits.')]
  expect(documentOf(result)).toMatchObject({ ok: false, problems, unserved: { items: [] } })
})

it('finds a suspended app, and knows a pause, which somebody meant, from a fault', async () => {
  world = await startWorld()
  await serve(world)
  const env = { WECHAT_API_BASE_URL: base }
  await world.cli(['app', 'pause', APP, '--why', 'migration'])
  const paused = await world.cli(['doctor'], { env })
  expect(paused.code).toBe(0)
  expect(paused.stdout).toMatch(/! \w+ is paused by an operator, \S+@\S+, since \S+ \S+Z: migration\. `wxo app resume/)
  await suspend(world.store)
  const { code, stdout } = await world.cli(['doctor', '--lang', 'zh'], { env })
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /✗ \w+ is suspended since .*Z\): 40164 ip-not-allowed: .*\(否。\) Once that is put right, `wxo app/,
  )
})

it('names a wrong password, and not which one it was', async () => {
  world = await startWorld()
  await world.store.redis.config('SET', 'requirepass', 'geheim')
  const url = world.redis.url.replace('redis://', 'redis://:falsch@')
  const result = await world.cli(['doctor'], { env: { REDIS_URL: url, WECHAT_API_BASE_URL: base } })
  await world.store.redis.config('SET', 'requirepass', '')
  expect(result.code).toBe(1)
  expect(result.stdout).toMatch(/✗ .*(WRONGPASS|invalid password)/i)
  expect(result.stdout + result.stderr).not.toMatch(/falsch|geheim/)
})

it('names a replica, which takes no messages', async () => {
  world = await startWorld()
  await world.store.redis.replicaof('127.0.0.1', 1)
  const result = await world.cli(['doctor'], { env: { WECHAT_API_BASE_URL: base } })
  expect(result.code).toBe(1)
  expect(result.stdout).toMatch(/✗ Redis is not available: .*is a replica/)
})

it('refuses a base URL that the worker would refuse', async () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', WECHAT_API_BASE_URL: 'http://example.com/?secret=geheim' }
  const result = await runCli(['doctor'], { env })
  expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('WECHAT_API_BASE_URL must be an https URL') })
  expect(result.stderr).not.toContain('geheim')
})

it('warns of clocks that are more than a second apart', () => {
  expect(warningsOf({ clockSkewMs: 1000 })).toEqual([])
  expect(warningsOf({ clockSkewMs: -1500 })).toEqual([expect.stringContaining('1.5 s behind')])
  expect(warningsOf({ clockSkewMs: 1500 })).toEqual([expect.stringContaining('1.5 s ahead of')])
})
