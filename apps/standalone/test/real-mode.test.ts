import { Outbox } from '@wechat-outbox/outbox'
import { SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { addressOf, createBench, isAlive, redisPid, untilUp } from './support/start.ts'

const bench = createBench()
afterEach(() => bench.clear())

describe('start with credentials', () => {
  it('delivers through a Redis of its own, sends no samples, and logs to stdout as JSON', async () => {
    const fake = await startFakeWechat()
    const dir = await bench.dir()
    const env = { WECHAT_APP_ID: SANDBOX_APP_ID, WECHAT_APP_SECRET: SANDBOX_APP_SECRET, WECHAT_API_BASE_URL: fake.url }
    const program = bench.start(['--data-dir', dir], env)
    await untilUp(program)
    const redis = await addressOf(program, 'Redis')
    const outbox = new Outbox({ redis, appid: SANDBOX_APP_ID })
    await outbox.send({ touser: 'oAnna', msgtype: 'text', text: { content: '您好' } })
    await vi.waitFor(() => expect(fake.ledger.acceptedCount()).toBe(1), { timeout: 10_000 })
    await outbox.close()
    const pid = await redisPid(dir)
    expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await isAlive(pid)).toBe(false)
    expect(fake.ledger.sendCount()).toBe(1)
    for (const line of program.stdout().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('event')
    expect(program.stdout() + program.stderr()).not.toContain(SANDBOX_APP_SECRET)
    await fake.close()
  }, 60_000)
})

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
