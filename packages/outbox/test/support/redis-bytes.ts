/** All that a Redis holds, as bytes: its rewritten append-only file, uncompressed, and every key of every type with what stands in it. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { WAIT_MS, type World } from './world.ts'

/** Which of these texts are found anywhere. */
export async function found(world: Pick<World, 'redis'>, texts: readonly string[]): Promise<string[]> {
  const bytes = `${await rewrittenFile(world)}\n${await everyKey(world)}`
  return texts.filter((text) => bytes.includes(text))
}

async function rewrittenFile({ redis }: Pick<World, 'redis'>): Promise<string> {
  // A preamble in the other format would be compressed.
  await redis.config('SET', 'aof-use-rdb-preamble', 'no')
  await vi.waitFor(() => redis.bgrewriteaof(), { timeout: WAIT_MS, interval: 20 })
  const idle = async (): Promise<void> => {
    const info = await redis.info('persistence')
    expect(info).toMatch(/aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/)
  }
  await vi.waitFor(idle, { timeout: WAIT_MS, interval: 20 })
  const [, dir] = (await redis.config('GET', 'dir')) as [string, string]
  const [, folder] = (await redis.config('GET', 'appenddirname')) as [string, string]
  const files = (await readdir(join(dir, folder))).filter((name) => name.endsWith('.aof'))
  expect(files.length).toBeGreaterThan(0)
  return (await Promise.all(files.map((name) => readFile(join(dir, folder, name), 'latin1')))).join('\n')
}

/** Every key with what stands in it, as JSON. */
export async function everyKey({ redis }: Pick<World, 'redis'>): Promise<string> {
  const read: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => redis.get(key),
    list: (key) => redis.lrange(key, '0', '-1'),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, '0', '-1'),
    hash: (key) => redis.hgetall(key),
    stream: (key) => redis.xrange(key, '-', '+'),
  }
  const names = (await redis.keys('*')).toSorted()
  const values = await Promise.all(names.map(async (name) => [name, await read[await redis.type(name)]?.(name)]))
  return JSON.stringify(values)
}
