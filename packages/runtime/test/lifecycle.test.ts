import { type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'

let started: StartedProcess[] = []
const start = (mode: string, env: Record<string, string> = {}): StartedProcess => {
  const child = startProcess({ args: [`${import.meta.dirname}/fixtures/service.ts`, mode], env })
  started.push(child)
  return child
}
afterEach(async () => {
  await Promise.all(started.map((child) => child.kill9()))
  started = []
})

const logged = (child: StartedProcess): Record<string, unknown>[] =>
  child
    .stdout()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('a service', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('closes on %s and exits 0', async (signal) => {
    const child = start('good')
    await child.waitForLine(/^running$/)
    expect(await child.stop(signal)).toEqual({ code: 0, signal: null })
    expect(child.stderr()).toBe('running\nclosing\nclosed\n')
    expect(logged(child)).toMatchObject([{ event: 'process.stopping', signal }, { event: 'process.stopped' }])
  })

  it('takes signals that come together for one wish', async () => {
    const child = start('good')
    await child.waitForLine(/^running$/)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) process.kill(child.pid, signal)
    expect(await child.exited).toEqual({ code: 0, signal: null })
    expect(child.stderr()).toBe('running\nclosing\nclosed\n')
  })

  it('exits 1 on a signal that comes again later while it closes', async () => {
    const child = start('close-hangs')
    await child.waitForLine(/^running$/)
    process.kill(child.pid, 'SIGTERM')
    await child.waitForLine(/^closing$/)
    // Until the process takes it: no test knows when the two seconds of another process are over.
    const again = setInterval(() => void child.stop('SIGINT'), 100)
    onTestFinished(() => clearInterval(again))
    expect(await child.exited).toEqual({ code: 1, signal: null })
  })

  it('ends on a signal although it is still starting', async () => {
    const child = start('start-hangs')
    await child.waitForLine(/^starting$/)
    expect(await child.stop('SIGTERM')).toEqual({ code: 0, signal: null })
  })

  it.each([
    ['uncaught', 'nobody caught this'],
    ['unhandled', 'nobody handled this'],
    ['start-fails', 'the start failed'],
    ['gives-up', 'it gave up'],
  ])('exits 1 and says why after a fault: %s', async (mode, message) => {
    const child = start(mode)
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(logged(child)).toMatchObject([{ level: 'fatal', event: 'process.fault', err: { type: 'Error', message } }])
    expect(child.stdout() + child.stderr()).not.toContain('S3CRET')
  })

  it('reloads on SIGHUP, even if that came while it started, and goes on although it failed', async () => {
    const child = start('reloads')
    await child.waitForLine(/^starting$/)
    process.kill(child.pid, 'SIGHUP')
    await child.waitForLine(/^reloading$/)
    process.kill(child.pid, 'SIGHUP')
    await vi.waitFor(() => expect(child.stderr().match(/^reloading$/gm)).toHaveLength(2), 10_000)
    expect(await child.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(logged(child)[0]).toMatchObject({ event: 'process.reload-failed', err: { message: 'the reload failed' } })
    expect(child.stdout() + child.stderr()).not.toContain('S3CRET')
  })

  it('exits 1 and says why when closing fails', async () => {
    const child = start('close-fails')
    await child.waitForLine(/^running$/)
    expect(await child.stop('SIGTERM')).toEqual({ code: 1, signal: null })
    expect(logged(child).at(-1)).toMatchObject({ event: 'process.fault', err: { message: 'the close failed' } })
    expect(child.stdout() + child.stderr()).not.toContain('S3CRET')
  })
})

describe('a bad configuration', () => {
  it('exits 1 with every problem and no value', async () => {
    const child = start('config', { FIXTURE_PORT: 'S3CRET' })
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(child.stderr().split('\n')).toEqual([
      'the configuration is not usable:',
      '  - FIXTURE_NAME is missing',
      '  - FIXTURE_PORT must be a whole number',
      '  - FIXTURE_OTHER is missing',
      '',
    ])
    expect(child.stdout()).toBe('')
  })

  it('is not what a bug is called', async () => {
    const child = start('config-bug')
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(child.stderr()).toContain('TypeError: a bug, not the configuration')
  })
})
