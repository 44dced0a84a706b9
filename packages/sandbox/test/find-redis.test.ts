import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { askRedis } from '../src/ask-redis.ts'
import { findOnPath } from '../src/find-redis.ts'
import { findRedis, startLocalRedis } from '../src/index.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'find-redis-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A program of this name that does what the line of shell says. */
const putProgram = async (folder: string, name: string, line: string): Promise<string> => {
  await mkdir(join(dir, folder), { recursive: true })
  const file = join(dir, folder, name)
  await writeFile(file, `#!/bin/sh\n${line}\n`)
  await chmod(file, 0o755)
  return file
}

describe('on the path', () => {
  it('takes redis-server before valkey-server, wherever they are', async () => {
    const valkey = await putProgram('a', 'valkey-server', 'exit 0')
    expect(await findRedis({ searchPath: join(dir, 'a') })).toEqual({ command: valkey, env: {}, source: 'path' })
    const redis = await putProgram('b', 'redis-server', 'exit 0')
    const searchPath = [join(dir, 'a'), join(dir, 'b')].join(delimiter)
    expect(await findRedis({ searchPath })).toEqual({ command: redis, env: {}, source: 'path' })
  })

  it('passes over a server that does not run', async () => {
    await putProgram('a', 'redis-server', 'exit 127')
    const valkey = await putProgram('a', 'valkey-server', 'exit 0')
    expect((await findRedis({ searchPath: join(dir, 'a') })).command).toBe(valkey)
  })

  it('sees neither folders nor files that cannot be executed', async () => {
    await mkdir(join(dir, 'a/redis-server'), { recursive: true })
    await mkdir(join(dir, 'b'))
    await writeFile(join(dir, 'b/redis-server'), '')
    await chmod(join(dir, 'b/redis-server'), 0o644)
    expect(await findOnPath('redis-server', [join(dir, 'a'), join(dir, 'b'), ''].join(delimiter))).toBeNull()
  })
})

it('uses what was unpacked before, with its libraries, without asking the distribution', async () => {
  const command = await putProgram('bin/root/usr/bin', 'redis-server', 'exit 0')
  await mkdir(join(dir, 'bin/root/usr/lib/x'), { recursive: true })
  await writeFile(join(dir, 'bin/root/usr/lib/x/libfish.so.1'), '')
  const onProgress = () => expect.unreachable('nothing is to be downloaded')
  const found = await findRedis({ searchPath: '', binDir: join(dir, 'bin'), onProgress })
  expect(found).toMatchObject({ command, source: 'package' })
  expect(found.env.LD_LIBRARY_PATH?.split(':')[0]).toBe(join(dir, 'bin/root/usr/lib/x'))
})

describe('with nothing on the path', () => {
  // Needs Debian or Ubuntu and its package server; elsewhere the finder's answer is the message below.
  it.runIf(process.env.TEST_APT === '1')(
    "unpacks the distribution's package, libraries included, and starts it",
    async () => {
      const options = { searchPath: '', binDir: join(dir, 'bin'), allLibraries: true }
      const redis = await startLocalRedis({ ...options, dir: join(dir, 'data') })
      expect(await askRedis(redis.port, 'PING')).toBe('+PONG')
      await redis.stop()
      const again = await findRedis(options)
      expect(again).toMatchObject({ command: join(dir, 'bin/root/usr/bin/redis-server'), source: 'package' })
    },
    300_000,
  )

  it('says what to install where there is no apt-get', async () => {
    const path = process.env.PATH
    process.env.PATH = dir
    try {
      const search = findRedis({ searchPath: '', binDir: join(dir, 'bin') })
      await expect(search).rejects.toThrow(/There is no Redis on this machine.*brew install redis.*REDIS_URL/)
    } finally {
      process.env.PATH = path
    }
  })
})
