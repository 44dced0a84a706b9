/** What a scenario is about: some Redis in real processes, and how everybody gets there. */
import { type LocalRedis, type LocalRedisOptions, startLocalRedis } from '@wechat-outbox/sandbox'

export interface Topology {
  /** For `REDIS_URL` of all processes. */
  readonly url: string
  /** For the reader in this process, which may have other rights, and no CA of its own. */
  readonly lookUrl: string
  /** What the processes need beside. */
  readonly env?: Readonly<Record<string, string>>
  close(): Promise<void>
}

/**
 * `always`, as in the chaos: kill -9 would lose what Redis acknowledged otherwise, when the killed server comes back. And no wait
 * before a replica gets its first copy, which is for many replicas at once.
 */
const ARGS = ['--appendfsync', 'always', '--repl-diskless-sync-delay', '0']

export function startServer(options: LocalRedisOptions): Promise<LocalRedis> {
  return startLocalRedis({ ...options, args: [...ARGS, ...(options.args ?? [])] })
}

/** Asks until it is so. @throws Error naming what was waited for, after half a minute */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + UNTIL_MS_MAX
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`${what} has not come true`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

const UNTIL_MS_MAX = 30_000
const LOOK_EVERY_MS = 50
