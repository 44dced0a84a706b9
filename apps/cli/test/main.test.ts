// The process itself: its exit codes, its streams and its end. What the commands do is tested without one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { APPS_KEY, listTasks } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, documentOf, MAIN, runProcess, startWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: World
beforeAll(async () => {
  world = await startWorld()
  await world.store.redis.sadd(APPS_KEY, APP)
})
afterAll(() => world.close())

const AWAY = { REDIS_URL: 'redis://someone:geheim@127.0.0.1:1' }

it('ends with 0 once its connections are closed, and reads a body from its standard input', async () => {
  const input = JSON.stringify({ touser: 'oStdin', msgtype: 'text', text: { content: 'x' } })
  const env = { REDIS_URL: world.redis.url, WECHAT_APP_ID: APP }
  const result = await runProcess(['send', '--body', '-', '--json'], { env, input })
  expect(result).toMatchObject({ code: 0, stderr: '' })
  expect(documentOf(result)).toMatchObject({ status: 'queued', appid: APP })
})

it('ends with 1 when Redis is away, and tells nobody its password', async () => {
  const result = await runProcess(['status', '--json'], { env: AWAY })
  expect(result).toMatchObject({
    code: 1,
    stderr:
      'wxo: Redis is not available: connect ECONNREFUSED 127.0.0.1:1. Is it the Redis of `start`? That draws a new port and password at each start: set REDIS_URL again, as it prints\n',
  })
  expect(documentOf(result).error.code).toBe('WXO_UNAVAILABLE')
  expect(result.stdout).not.toContain('geheim')
})

it('ends with 2 on wrong usage, and steers no terminal with what it was given', async () => {
  const result = await runProcess(['bogus\u009b2J', '--json'], { env: AWAY })
  expect(result.code).toBe(2)
  expect(documentOf(result).error.code).toBe('USAGE')
  expect(result.stderr).toContain('bogus\\u009b2J')
  expect(result.stdout + result.stderr).not.toContain('\u009b')
})

it('asks on Ctrl-C at a terminal whether to leave a task or to cancel it', async () => {
  const line = `exec '${process.execPath}' '${MAIN}' dead replay d-none --app ${APP}`
  // script(1) gives the command a terminal of its own, into which it types what it reads itself.
  const env = { ...process.env, REDIS_URL: world.redis.url }
  const child = spawn('script', ['-qec', line, '/dev/null'], { env, stdio: 'pipe', timeout: 30_000 })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  const closed = once(child, 'close')
  await vi.waitFor(() => expect(shown).toContain('finding the dead letters'), 30_000)
  child.stdin.write('\u0003')
  await vi.waitFor(() => expect(shown).toMatch(/cancel r-\w+\? It goes on if you only leave it\. \[c\/L\]/), 30_000)
  child.stdin.write('c\r')
  expect(await closed).toEqual([1, null])
  expect(shown).toContain('cancelled.')
  expect(await listTasks(world.store, APP)).toMatchObject([{ status: 'cancelled' }])
})

it('takes a pipe that its reader closes early for no failure', async () => {
  const child = spawn(process.execPath, [MAIN, '--version'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number]
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
