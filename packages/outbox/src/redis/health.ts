/**
 * What the promise rests on: a Redis that persists what it has acknowledged and never throws anything away. Read from
 * INFO, which every hosted Redis allows; CONFIG often is not.
 */
import type { RedisClient } from './connection.ts'

export interface RedisHealth {
  readonly version: string
  readonly appendOnly: boolean
  /** `always`, `everysec`, `no`; undefined where CONFIG is not allowed. */
  readonly appendFsync: string | undefined
  readonly evictionPolicy: string
  readonly usedMemoryBytes: number
  /** 0: no limit. */
  readonly maxMemoryBytes: number
}

export async function readRedisHealth(redis: RedisClient): Promise<RedisHealth> {
  const info = parseInfo(await redis.info())
  return {
    version: info.get('redis_version') ?? 'unknown',
    appendOnly: info.get('aof_enabled') === '1',
    appendFsync: await readFsync(redis),
    evictionPolicy: info.get('maxmemory_policy') ?? 'unknown',
    usedMemoryBytes: Number(info.get('used_memory') ?? 0),
    maxMemoryBytes: Number(info.get('maxmemory') ?? 0),
  }
}

/** 0 for `maxMemoryBytes`: no limit. */
export async function readMemory(redis: RedisClient): Promise<Pick<RedisHealth, 'usedMemoryBytes' | 'maxMemoryBytes'>> {
  const info = parseInfo(await redis.info('memory'))
  return { usedMemoryBytes: Number(info.get('used_memory') ?? 0), maxMemoryBytes: Number(info.get('maxmemory') ?? 0) }
}

async function readFsync(redis: RedisClient): Promise<string | undefined> {
  try {
    const [, value] = (await redis.config('GET', 'appendfsync')) as string[]
    return value
  } catch {
    return undefined
  }
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

/** What is wrong with it, in sentences for an operator. Empty: the promise holds. */
export function redisProblems(health: RedisHealth): string[] {
  const problems: string[] = []
  if (!health.appendOnly) {
    problems.push('Redis keeps no append-only file: a restart loses accepted messages. Set `appendonly yes`.')
  }
  if (health.appendFsync === 'no') {
    problems.push(
      'Redis leaves syncing its append-only file to the system: a power cut may take half a minute of messages. Set `appendfsync everysec`.',
    )
  }
  if (health.evictionPolicy !== 'noeviction') {
    problems.push(
      `Redis may evict keys (maxmemory-policy ${health.evictionPolicy}): accepted messages would vanish. Set \`noeviction\`.`,
    )
  }
  const [major = 0, minor = 0] = health.version.split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2))
    problems.push(`Redis ${health.version} is too old: 6.2 or later is needed.`)
  return problems
}
