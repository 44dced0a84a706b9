import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBench, untilGone } from './support/start.ts'

const bench = createBench()
afterEach(() => bench.clear())

const WHOLE = {
  delivered: 8,
  retried: 1,
  tokenRefreshes: 1,
  deadLettered: { '45015': 1, '45047': 1, '40003': 1 },
  replayed: 1,
  heldAndReleased: 1,
}

describe('start --once', () => {
  it('sees every outcome, prints the summary last and exits 0, and leaves nothing in the folder', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--once', '--data-dir', dir])
    expect(await program.exited).toEqual({ code: 0, signal: null })
    const lines = program.stdout().trimEnd().split('\n')
    expect(lines[0]).toMatch(/^SANDBOX: .*built-in fake/)
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual(WHOLE)
    expect(program.stdout()).toMatch(/WeChat busy.* text +delivered after a retry +-1, ok\n/)
    expect(program.stdout()).toMatch(
      /reply window closed +text +dead: reply-window-closed +45015\n +replayed.* delivered +ok\n/,
    )
    expect(program.stderr()).toBe('')
    expect(await readdir(dir)).toEqual([])
  }, 60_000)

  it('runs twice at the same time in the same folder', async () => {
    const dir = await bench.dir()
    const programs = [bench.start(['--once', '--data-dir', dir]), bench.start(['--once', '--data-dir', dir])]
    for (const program of programs) expect((await program.exited).code).toBe(0)
    expect(await readdir(dir)).toEqual([])
  }, 90_000)

  it('exits 1 and names the outcome that is missing', async () => {
    const dir = await bench.dir()
    const program = bench.start(['--once', '--data-dir', dir], { RETRY_ATTEMPTS_MAX: '1' })
    expect((await program.exited).code).toBe(1)
    expect(program.stderr()).toMatch(/Missing in the fake WeChat's ledger: delivered: 7 of 8; retried: 0 of 1\./)
    expect(JSON.parse(program.stdout().trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ delivered: 7, retried: 0 })
    const [kept = ''] = await readdir(dir)
    expect(await readFile(join(dir, kept, 'log/standalone.jsonl'), 'utf8')).toContain('"event":"message.dead"')
  }, 60_000)

  it('exits 1 when it is broken off, and its Redis ends with it', async () => {
    const dir = await bench.dir()
    await mkdir(join(dir, 'redis-sandbox'))
    const program = bench.start(['--once', '--data-dir', dir])
    const pid = await vi.waitFor(
      async () => {
        const own = (await readdir(dir)).find((name) => name.startsWith('once-'))
        return Number(await readFile(join(dir, String(own), 'redis-sandbox/redis.pid'), 'utf8'))
      },
      { timeout: 20_000 },
    )
    expect(await program.stop('SIGINT')).toEqual({ code: 1, signal: null })
    await untilGone(pid)
    expect(await readdir(dir)).toEqual(['redis-sandbox'])
  }, 60_000)

  it('is refused with credentials: real people must not get samples', async () => {
    const env = { WECHAT_APP_ID: 'wx00000000000000aa', WECHAT_APP_SECRET: 'test-only' }
    const program = bench.start(['--once', '--data-dir', await bench.dir()], env)
    expect((await program.exited).code).toBe(1)
    expect(program.stderr()).toContain('--once sends samples')
  })
})
