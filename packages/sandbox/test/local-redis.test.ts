import { chmod, lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { askRedis } from '../src/ask-redis.ts'
import { type LocalRedis, type LocalRedisOptions, startLocalRedis, startProcess, startTcpProxy } from '../src/index.ts'
import { commandLineOf } from '../src/process-table.ts'
import { isAlive, untilGone } from './alive.ts'

let dir: string
let started: LocalRedis[] = []
const start = async (options: Partial<LocalRedisOptions> = {}): Promise<LocalRedis> => {
  const redis = await startLocalRedis({ dir, ...options })
  started.push(redis)
  return redis
}
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'local-redis-'))
})
afterEach(async () => {
  await Promise.all(started.map((redis) => redis.kill9()))
  started = []
  await rm(dir, { recursive: true, force: true })
})

/** The value CONFIG GET has for a setting: the last line of its reply. */
const settingOf = async ({ port }: LocalRedis, name: string): Promise<string | undefined> => {
  const socket = connect(port, '127.0.0.1')
  socket.write(`CONFIG GET ${name}\r\nQUIT\r\n`)
  let replies = ''
  for await (const chunk of socket) replies += String(chunk)
  return replies.split('\r\n')[4]
}

it('starts a Redis that persists, evicts nothing and listens on the loopback alone', async () => {
  const redis = await start()
  expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`)
  expect(await askRedis(redis.port, 'PING')).toBe('+PONG')
  expect(await askRedis(redis.port, 'INFO server')).toContain(`process_id:${redis.pid}\r\n`)
  expect(await settingOf(redis, 'appendonly')).toBe('yes')
  expect(await settingOf(redis, 'appendfsync')).toBe('everysec')
  expect(await settingOf(redis, 'maxmemory-policy')).toBe('noeviction')
  expect(await settingOf(redis, 'save')).toBe('')
  expect(await settingOf(redis, 'bind')).toBe('127.0.0.1')
})

it('passes further arguments on', async () => {
  const redis = await start({ args: ['--maxmemory', '64mb'], appendonly: false })
  expect(await askRedis(redis.port, 'INFO memory')).toContain('maxmemory:67108864\r\n')
  expect(await askRedis(redis.port, 'INFO persistence')).toContain('aof_enabled:0\r\n')
})

it('finds its data again in the same folder and port after kill -9', async () => {
  const first = await start()
  expect(await askRedis(first.port, 'SET word kept')).toBe('+OK')
  // everysec: the operating system has the write already, a kill of the process alone loses nothing.
  await first.kill9()
  expect(isAlive(first.pid)).toBe(false)
  const second = await start({ port: first.port })
  expect(second.pid).not.toBe(first.pid)
  expect(await askRedis(second.port, 'GET word')).toBe('kept')
})

it('stops in order, twice if asked, and tells that it has exited', async () => {
  const redis = await start()
  await askRedis(redis.port, 'SET word kept')
  await redis.stop()
  await redis.stop()
  await redis.exited
  expect(isAlive(redis.pid)).toBe(false)
  const again = await start()
  expect(await askRedis(again.port, 'GET word')).toBe('kept')
})

it('tells when the server ends without being asked', async () => {
  const redis = await start()
  process.kill(redis.pid, 'SIGKILL')
  await redis.exited
  await redis.stop()
})

describe('on a machine with other accounts', () => {
  /** Paths below a folder, and the folder itself as '', whose group or others may do anything with them. */
  const openTo = async (folder: string): Promise<string[]> => {
    const paths = ['', ...(await readdir(folder, { recursive: true }))]
    const modes = await Promise.all(paths.map(async (path) => (await lstat(join(folder, path))).mode))
    return paths.filter((_, index) => ((modes[index] ?? 0) & 0o077) !== 0)
  }

  it('keeps its folder and files for their owner, and closes those that an earlier version left open', async () => {
    const before = process.umask(0o022)
    try {
      const redis = await start()
      await askRedis(redis.port, 'SET word kept')
      expect(await openTo(dir)).toEqual([])
      await redis.stop()
      const paths = await readdir(dir, { recursive: true })
      expect(paths).toEqual(expect.arrayContaining(['redis.log', expect.stringMatching(/\.aof$/)]))
      for (const path of paths) await chmod(join(dir, path), path.includes('.') ? 0o644 : 0o755)
      await chmod(dir, 0o755)
      const again = await start()
      expect(await openTo(dir)).toEqual([])
      expect(await askRedis(again.port, 'GET word')).toBe('kept')
    } finally {
      process.umask(before)
    }
  })

  it('asks for a password that only files of its owner tell, another one at every start', async () => {
    const open = await start()
    await askRedis(open.port, 'SET word kept')
    await open.stop()
    const passwords: (string | undefined)[] = []
    for (let n = 0; n < 2; n += 1) {
      const redis = await start({ drawPassword: true })
      const { password = '' } = redis
      expect(password).toMatch(/^[\w-]{32}$/)
      expect(redis.url).toBe(`redis://:${password}@127.0.0.1:${redis.port}`)
      expect(await readFile(join(dir, 'url'), 'utf8')).toBe(`${redis.url}\n`)
      expect(await askRedis(redis.port, 'GET word')).toMatch(/^-NOAUTH/)
      expect(await askRedis({ port: redis.port, password: 'guessed' }, 'GET word')).toMatch(/^-WRONGPASS/)
      expect(await askRedis(redis, 'GET word')).toBe('kept')
      expect(await commandLineOf(redis.pid)).toMatch(/(redis|valkey)-/)
      expect(await commandLineOf(redis.pid)).not.toContain(password)
      expect(await openTo(dir)).toEqual([])
      passwords.push(password)
      await redis.stop()
    }
    expect(new Set(passwords).size).toBe(2)
  })
})

describe('when its owner is killed with -9', () => {
  it('ends, and its folder can be used again at once', async () => {
    const owner = startProcess({ args: [`${import.meta.dirname}/fixtures/start-redis.ts`, dir] })
    const pid = Number((await owner.waitForLine(/^redis (\d+)/))[1])
    expect(isAlive(pid)).toBe(true)
    await owner.kill9()
    const next = await start()
    expect(isAlive(pid)).toBe(false)
    expect(next.pid).not.toBe(pid)
  })

  it('ends even when it stands still', async () => {
    const owner = startProcess({ args: [`${import.meta.dirname}/fixtures/start-redis.ts`, dir] })
    const pid = Number((await owner.waitForLine(/^redis (\d+)/))[1])
    process.kill(pid, 'SIGSTOP')
    await owner.kill9()
    await untilGone(pid)
  }, 20_000)
})

describe('a start that cannot succeed', () => {
  it('is refused while another Redis works in the folder', async () => {
    await start()
    const second = startLocalRedis({ dir, predecessorTimeoutMs: 100 })
    await expect(second).rejects.toThrow(/Another Redis \(process \d+\) still works/)
  })

  it('is not confused by the pid of a process that is no Redis', async () => {
    await writeFile(join(dir, 'redis.pid'), `${process.pid}\n`)
    expect(await askRedis((await start()).port, 'PING')).toBe('+PONG')
  })

  it('says that the port is taken, even if it is a Redis that has it', async () => {
    const first = await start({ dir: join(dir, 'first') })
    const second = startLocalRedis({ dir: join(dir, 'second'), port: first.port })
    await expect(second).rejects.toThrow(/did not start on port[\s\S]*Address already in use/)
  })

  it('says what the server says about wrong arguments', async () => {
    await expect(startLocalRedis({ dir, args: ['--no-such-setting', '1'] })).rejects.toThrow(/no-such-setting/)
  })
})

it('works through a proxy', async () => {
  const redis = await start()
  const proxy = await startTcpProxy({ targetPort: redis.port })
  expect(await askRedis(proxy.port, 'PING')).toBe('+PONG')
  proxy.cutReplies(true)
  await expect(askRedis(proxy.port, 'SET word written', 200)).rejects.toThrow(/no answer/)
  await vi.waitFor(async () => expect(await askRedis(redis.port, 'GET word')).toBe('written'), 20_000)
  await proxy.close()
})
