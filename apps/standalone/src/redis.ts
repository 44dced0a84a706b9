/**
 * The Redis of this machine, for both modes: kept in a folder, ended with this process, and its absence an end too. Each mode
 * has a folder of its own: what somebody has sent in the sandbox must not be found by a worker that really sends.
 */
import { join } from 'node:path'
import { type LocalRedis, startLocalRedis } from '@wechat-outbox/sandbox'
import { shellPath, shownPath } from './options.ts'
import type { Stack } from './stack.ts'
import type { Stop } from './stop.ts'

/** Once both modes shared `redis`. It is the real one's, because messages may wait in it for which somebody answers. */
const FOLDERS = { real: 'redis', sandbox: 'redis-sandbox' } as const

export interface RedisOptions {
  readonly mode: keyof typeof FOLDERS
  /** Holds the folder of Redis. */
  readonly dataDir: string
  readonly say: (line: string) => void
  readonly opened: Stack
  readonly stop: Stop
}

const RUNNING_ALREADY =
  'Is `start` running already? End it, or give this one a folder of its own: `npx -y pnpm@12 start --data-dir DIR`.'

/** @throws Error when none can be had, or another one works in the folder */
export async function openLocalRedis({ mode, dataDir, say, opened, stop }: RedisOptions): Promise<LocalRedis> {
  const dir = join(dataDir, FOLDERS[mode])
  const redis = await startLocalRedis({ dir, drawPassword: true, onProgress: say }).catch((error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('Another Redis'))) throw error
    throw new Error(`${error.message} ${RUNNING_ALREADY}`)
  })
  let closing = false
  void redis.exited.then(() => {
    if (!closing) stop.fail(new Error(`Redis has ended; its last words are in ${shownPath(`${dir}/redis.log`)}`))
  })
  opened.add(redis, () => {
    closing = true
    return redis.stop()
  })
  stop.signal.throwIfAborted()
  return redis
}

/** Where it is, without the password: what a terminal shows may be kept by others. */
export function redisLine({ port, dir }: LocalRedis): string {
  return `redis://127.0.0.1:${port}  (its files are in ${shownPath(dir)}; \`url\` there has the password)`
}

/** What stands before `wxo` in a shell, so that the password stands neither on the screen nor among the arguments. */
export function redisVariable({ dir }: LocalRedis): string {
  return `REDIS_URL=$(cat ${shellPath(join(dir, 'url'))})`
}
