import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it, vi } from 'vitest'
import { APP, documentOf, runCli } from './world.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Nobody listens there: what gets as far as Redis fails with 1 and not with 2. */
const AWAY = { REDIS_URL: 'redis://someone:geheim@127.0.0.1:1' }

it.each([
  [[]],
  [['bogus']],
  [['app', 'fly']],
  [['send', '--app', APP, '--to', 'o']],
  [['send', '--app', APP, '--text', 'x']],
  [['send', '--app', APP, '--to', 'o', '--text', 'x', '--image', 'y']],
  [['send', '--app', APP, '--to', 'o', '--link', 'no json']],
  [['send', '--app', 'wx1', '--to', 'o', '--text', 'x']],
  [['send', '--app', APP, '--to', 'o', '--text', 'x', '--if-unsure', 'perhaps']],
  [['send', '--app', APP, '--to', 'o', '--text', 'x', '--on-closed', 'wait']],
  [['window']],
  [['window', 'a b', '--app', APP]],
  [['forget']],
  [['forget', 'oABC…wxyz', '--app', APP, '--yes']],
  [['forget', 'oAnna', '--app', APP]],
  [['show']],
  [['show', 'x', '--app', APP]],
  [['dead']],
  [['dead', 'ls', '--since', 'yesterday']],
  [['dead', 'ls', '--since', '1h', '--until', '2h']],
  [['dead', 'ls', '--limit', '0']],
  [['dead', 'ls', '--errcode', 'no-such-reason']],
  [['dead', 'ls', '--to', 'a b']],
  [['dead', 'count', '--window', 'shut']],
  [['dead', 'show', 'm-1']],
  [['dead', 'replay']],
  [['dead', 'replay', 'm-1']],
  [['dead', 'replay', 'd-1', '--all']],
  [['dead', 'replay', '--limit', '5', '--yes']],
  [['dead', 'replay', '--all']],
  [['dead', 'replay', '--all', '--per-second', '0', '--yes']],
  [['dead', 'discard', 'd-1']],
  [['dead', 'count', '--by', 'colour']],
  [['dead', 'ls', '--since', '1h', '--since', '2h']],
  [['dead', 'ls', '--app', APP, '--app', APP]],
  [['dead', 'count', '--by', 'hour', '--by', 'touser']],
  [['send', '--app', APP, '--to', 'o', '--to', 'p', '--text', 'x']],
  [['callback']],
  [['callback', 'ls', '--app', APP, '--limit', '0']],
  [['callback', 'ls', '--app', APP, '--limit', 'many']],
  [['callback', 'ls', 'surplus']],
  [['task']],
  [['task', 'show', 'd-1']],
  [['task', 'cancel']],
  [['status', 'surplus']],
])('wxo %j is wrong usage', async (args) => {
  const result = await runCli(args, { env: AWAY })
  expect(result).toMatchObject({ code: 2, stdout: '' })
  expect(result.stderr).not.toBe('')
})

it('says what is wrong as a JSON document when asked to', async () => {
  for (const args of [
    ['bogus', '--json'],
    ['dead', 'replay', '--json'],
  ]) {
    const result = await runCli(args, { env: AWAY })
    expect(result.code).toBe(2)
    expect(documentOf(result).error).toMatchObject({ code: 'USAGE', message: expect.stringMatching(/./) })
  }
})

it('tells its version without any environment', async () => {
  expect(await runCli(['--version'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  })
})

it('helps without any environment', async () => {
  const result = await runCli(['dead', 'replay', '--help'])
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('--dry-run'), stderr: '' })
})

it.each([[['status']], [['app', 'ls']], [['doctor']]])(
  'wxo %j tells a bad environment as such, not as a Redis that is away',
  async (args) => {
    const result = await runCli(args, { env: { ...AWAY, TEXT_BYTES_MAX: 'many' } })
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('TEXT_BYTES_MAX must be a whole number')
    expect(result.stderr).not.toContain('Redis')
  },
)

it('asks for REDIS_URL by name, and names a bad app too', async () => {
  const result = await runCli(['status'], { env: { WECHAT_APP_ID: 'wx1' } })
  expect(result).toMatchObject({ code: 1, stdout: '' })
  expect(result.stderr).toContain('REDIS_URL is missing: set it to the Redis of the outbox')
  expect(result.stderr).toContain('WECHAT_APP_ID must be')
})

it.each([
  [['status']],
  [['show', 'm-1', '--app', APP]],
  [['send', '--app', APP, '--to', 'o', '--text', 'x']],
  [['dead', 'ls', '--app', APP]],
  [['dead', 'discard', 'd-1', '--app', APP, '--yes']],
])('wxo %j says that Redis is away, and never its password', async (args) => {
  const result = await runCli([...args, '--json'], { env: AWAY })
  expect(result.code).toBe(1)
  expect(result.stderr).toMatch(
    /^wxo: Redis is not available: connect ECONNREFUSED 127\.0\.0\.1:1\. Is it the Redis of `start`\? .*\n$/,
  )
  expect(documentOf(result).error.code).toBe('WXO_UNAVAILABLE')
  expect(result.stdout).not.toContain('geheim')
})

it('gives up on a Redis that takes the connection and says nothing', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const result = await runCli(['status'], { env: { REDIS_URL: `redis://127.0.0.1:${port}` } })
  silent.close()
  expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer within') })
})

it('never repeats a Redis URL that it cannot read', async () => {
  const result = await runCli(['status'], { env: { REDIS_URL: 'http://someone:geheim@host' } })
  expect(result.code).toBe(1)
  expect(result.stderr).toContain('REDIS_URL must be')
  expect(result.stderr).not.toContain('geheim')
})
