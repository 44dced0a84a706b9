/**
 * What the promise rests on: a Redis that persists what it has acknowledged and never throws anything away. Read from
 * INFO and CONFIG, which an access list may refuse: then it cannot be judged, which is no fault and has to be said.
 */
import { Cluster } from 'ioredis'
import type { RedisClient } from './connection.ts'
import { isNotAllowed } from './server-info.ts'

/** Undefined is what Redis does not show to this user. */
export interface RedisHealth {
  readonly version: string | undefined
  readonly appendOnly: boolean | undefined
  /** `always`, `everysec`, `no`; read from CONFIG. */
  readonly appendFsync: string | undefined
  readonly evictionPolicy: string | undefined
  readonly usedMemoryBytes: number | undefined
  /** 0: no limit. */
  readonly maxMemoryBytes: number | undefined
}

/** @throws where Redis does not answer */
export async function readRedisHealth(redis: RedisClient): Promise<RedisHealth> {
  const info = parseInfo(await redis.info())
  const appendOnly = info.get('aof_enabled')
  return {
    version: info.get('redis_version'),
    appendOnly: appendOnly === undefined ? undefined : appendOnly === '1',
    appendFsync: await readFsync(redis),
    evictionPolicy: info.get('maxmemory_policy'),
    ...memoryIn(info),
  }
}

export type RedisMemory = Pick<RedisHealth, 'usedMemoryBytes' | 'maxMemoryBytes'>

/**
 * How full Redis is; of a cluster, the master that is nearest to its limit, because the apps of its slots are refused first.
 * @throws where Redis does not answer
 */
export async function readMemory(redis: RedisClient): Promise<RedisMemory> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis]
  const answers = await Promise.allSettled(servers.map(readMemoryOf))
  const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const [first] = answers
  // A master that is away says nothing of the others.
  if (told.length === 0 && first?.status === 'rejected') throw first.reason
  return told.toSorted((one, other) => fullness(other) - fullness(one))[0] ?? memoryIn(new Map())
}

/** The client answers where INFO is refused, the nodes of a cluster do not. */
async function readMemoryOf(server: Pick<RedisClient, 'info'>): Promise<RedisMemory> {
  try {
    return memoryIn(parseInfo(await server.info('memory')))
  } catch (error) {
    if (!isNotAllowed(error)) throw error
    return memoryIn(new Map())
  }
}

/** A server without a limit is as full as it may get; of several, the one that holds most. */
function fullness({ usedMemoryBytes = 0, maxMemoryBytes = 0 }: RedisMemory): number {
  return usedMemoryBytes / (maxMemoryBytes > 0 ? maxMemoryBytes : Number.MAX_SAFE_INTEGER)
}

function memoryIn(info: ReadonlyMap<string, string>): RedisMemory {
  const [used, max] = [info.get('used_memory'), info.get('maxmemory')]
  return {
    usedMemoryBytes: used === undefined ? undefined : Number(used),
    maxMemoryBytes: max === undefined ? undefined : Number(max),
  }
}

async function readFsync(redis: RedisClient): Promise<string | undefined> {
  try {
    const [, value] = (await redis.config('GET', 'appendfsync')) as string[]
    return value
  } catch (error) {
    if (!isNotAllowed(error)) throw error
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
  if (health.appendOnly === false) {
    problems.push('Redis keeps no append-only file: a restart loses accepted messages. Set `appendonly yes`.')
  }
  if (health.appendFsync === 'no') {
    problems.push(
      'Redis leaves syncing its append-only file to the system: a power cut may take half a minute of messages. Set `appendfsync everysec`.',
    )
  }
  if (health.evictionPolicy !== undefined && health.evictionPolicy !== 'noeviction') {
    problems.push(
      `Redis may evict keys (maxmemory-policy ${health.evictionPolicy}): accepted messages would vanish. Set \`noeviction\`.`,
    )
  }
  if (health.version !== undefined && isTooOld(health.version)) problems.push(`Redis ${health.version} ${TOO_OLD}.`)
  return problems
}

/** What this program cannot judge, in sentences for an operator. */
export function redisUnknowns(health: RedisHealth): string[] {
  const unknowns: string[] = []
  if (health.appendOnly === undefined) {
    unknowns.push(
      'Whether Redis keeps an append-only file cannot be judged: INFO is not allowed. Make sure of `appendonly yes`.',
    )
  }
  if (health.appendOnly !== false && health.appendFsync === undefined) {
    unknowns.push(
      'How often Redis syncs its file cannot be judged: CONFIG GET is not allowed. Make sure of `appendfsync everysec` or `always`.',
    )
  }
  if (health.evictionPolicy === undefined) {
    unknowns.push(
      'Whether Redis evicts keys cannot be judged: INFO is not allowed. Make sure of `maxmemory-policy noeviction`.',
    )
  }
  if (health.maxMemoryBytes === undefined || health.usedMemoryBytes === undefined) {
    unknowns.push(
      'How full Redis is cannot be judged: INFO is not allowed. New messages are refused only when it is full.',
    )
  }
  return unknowns
}

export const TOO_OLD = 'is too old: 6.2 or later is needed'

export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < 6 || (major === 6 && minor < 2)
}
