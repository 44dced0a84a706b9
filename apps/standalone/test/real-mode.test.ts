import { chmod, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { askRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { addressOf, createBench, isAlive, redisPid, redisUrl, untilUp } from './support/start.ts'

const bench = createBench()
afterEach(() => bench.clear())

describe('start with credentials', () => {
  it('delivers through a Redis of its own, sends no samples, and logs to stdout as JSON', async () => {
    const fake = await startFakeWechat()
    const dir = await bench.dir()
    const env = { WECHAT_APP_ID: SANDBOX_APP_ID, WECHAT_APP_SECRET: SANDBOX_APP_SECRET, WECHAT_API_BASE_URL: fake.url }
    const program = bench.start(['--data-dir', dir], env)
    await untilUp(program)
    await store(await redisUrl(dir, 'redis'), SANDBOX_APP_ID, '您好')
    await untilAccepted(fake, 1)
    expect((await fetch(await addressOf(program, 'docs'))).status).toBe(200)
    const pid = await redisPid(dir, 'redis')
    expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await isAlive(pid)).toBe(false)
    expect(fake.ledger.sendCount()).toBe(1)
    for (const line of program.stdout().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('event')
    const password = new URL(await redisUrl(dir, 'redis')).password
    expect(password).toMatch(/^[\w-]{32}$/)
    for (const secret of [SANDBOX_APP_SECRET, password])
      expect(program.stdout() + program.stderr()).not.toContain(secret)
    await fake.close()
  }, 60_000)

  it('takes over what an earlier version kept in its folder without a password, and closes it to others', async () => {
    const fake = await startFakeWechat()
    const dir = await bench.dir()
    const folder = join(dir, 'redis')
    const earlier = await startLocalRedis({ dir: folder })
    await store(earlier.url, SANDBOX_APP_ID, 'accepted by an earlier version')
    await earlier.stop()
    await chmod(folder, 0o755)
    const env = { WECHAT_APP_ID: SANDBOX_APP_ID, WECHAT_APP_SECRET: SANDBOX_APP_SECRET, WECHAT_API_BASE_URL: fake.url }
    const program = bench.start(['--data-dir', dir], env)
    await untilUp(program)
    await untilAccepted(fake, 1)
    expect(fake.ledger.accepted()[0]?.rawBody).toContain('accepted by an earlier version')
    expect((await lstat(folder)).mode & 0o777).toBe(0o700)
    const { port } = new URL(await addressOf(program, 'Redis'))
    expect(await askRedis(Number(port), 'DBSIZE')).toMatch(/^-NOAUTH/)
    await program.stop('SIGTERM')
    await fake.close()
  }, 60_000)

  it('does not send what was stored for its app in the sandbox', async () => {
    const [appid, secret] = ['wx00000000000000aa', 'test-only-secret']
    const fake = await startFakeWechat({ apps: [{ appid, secret }] })
    const dir = await bench.dir()
    const sandbox = bench.start(['--data-dir', dir])
    await untilUp(sandbox)
    const played = await store(await redisUrl(dir, 'redis-sandbox'), appid, 'only played with')
    await sandbox.stop('SIGTERM')

    const env = { WECHAT_APP_ID: appid, WECHAT_APP_SECRET: secret, WECHAT_API_BASE_URL: fake.url }
    const program = bench.start(['--data-dir', dir], env)
    await untilUp(program)
    const redis = await redisUrl(dir, 'redis')
    await store(redis, appid, 'meant')
    await untilAccepted(fake, 1)
    expect(fake.ledger.accepted()[0]?.rawBody).toContain('meant')
    const outbox = new Outbox({ redis, appid })
    expect(await outbox.status(played)).toBeNull()
    await outbox.close()
    await program.stop('SIGTERM')
    expect(fake.ledger.sendCount()).toBe(1)
    await fake.close()
  }, 120_000)
})

/** Stores a message as another process would. Returns its id. */
async function store(redis: string, appid: string, content: string): Promise<string> {
  const outbox = new Outbox({ redis, appid })
  const { id } = await outbox.send({ touser: 'oAnna', msgtype: 'text', text: { content } })
  await outbox.close()
  return id
}

async function untilAccepted(fake: FakeWechat, count: number): Promise<void> {
  await vi.waitFor(() => expect(fake.ledger.acceptedCount()).toBe(count), { timeout: 20_000 })
}

describe('half a configuration', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      'a Redis and no credentials',
      { REDIS_URL: 'redis://127.0.0.1:6379' },
      /WECHAT_APP_ID and WECHAT_APP_SECRET are missing/,
    ],
    ['an app without its secret', { WECHAT_APP_ID: 'wx00000000000000aa' }, /WECHAT_APP_SECRET is missing/],
    ['an apps file that is not there', { WECHAT_APPS_FILE: '/nowhere' }, /WECHAT_APPS_FILE cannot be read/],
  ])('%s: exits 1 with the problems listed', async (_, env, problem) => {
    const program = bench.start(['--data-dir', await bench.dir()], env)
    expect(await program.exited).toEqual({ code: 1, signal: null })
    expect(program.stderr()).toMatch(problem)
    expect(program.stderr()).toContain('is the sandbox')
    expect(program.stdout()).toBe('')
  })
})

describe('the arguments', () => {
  it('are explained when they are wrong, with exit code 2', async () => {
    const program = bench.start(['--twice'])
    expect((await program.exited).code).toBe(2)
    expect(program.stderr()).toMatch(/--twice[^]*usage: start/)
  })

  it('include --help', async () => {
    const program = bench.start(['--', '--help'])
    expect((await program.exited).code).toBe(0)
    expect(program.stdout()).toMatch(/^usage: start/)
  })
})
