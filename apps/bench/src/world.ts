/** What one measurement starts – servers, processes, folders – and the one way in which all of it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalRedis, type StartedProcess, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'
import { createFar, type Far } from './far-side/client.ts'
import { findPostgres, type Postgres, type PostgresOptions } from './postgres.ts'

export interface World {
  /** A Redis as it should run: append-only file, written out every second, no eviction. */
  redis(args?: readonly string[]): Promise<LocalRedis>
  far(): Promise<Far>
  /** A PostgreSQL of its own, or why there can be none on this machine. */
  postgres(): Promise<Postgres | { readonly missing: string }>
  /** One of the programs in `roles/`, told what to do in JSON. Others can read that, but not its environment. */
  role(name: RoleName, options?: unknown, env?: Readonly<Record<string, string>>): StartedProcess
  /** A program of the repository, by its path from the root. */
  program(path: string, env: Readonly<Record<string, string>>): StartedProcess
  /** An empty folder that goes with the world. */
  folder(): Promise<string>
  close(): Promise<void>
}

export type RoleName =
  | 'enqueue'
  | 'far-side'
  | 'feed'
  | 'floor'
  | 'http-load'
  | 'pace'
  | 'peer-worker'
  | 'plain-gateway'
  | 'plain-worker'
  | 'postgres'

const ROOT = join(import.meta.dirname, '../../..')
const STOP_MS_MAX = 10_000
const NO_POSTGRES =
  'there is no PostgreSQL on this machine (initdb and postgres on the PATH, under /usr/lib/postgresql or in BENCH_POSTGRES_BIN)'

export function createWorld(): World {
  const closers: (() => Promise<unknown>)[] = []
  let closed: Promise<void> | undefined
  const start = (path: string, args: readonly string[], env: Readonly<Record<string, string>>): StartedProcess => {
    const started = startProcess({ args: [join(ROOT, path), ...args], cwd: ROOT, env })
    closers.push(() => started.stop('SIGTERM', STOP_MS_MAX))
    return started
  }
  const folder = async (): Promise<string> => {
    const dir = await mkdtemp(join(tmpdir(), 'wxo-bench-'))
    closers.push(() => rm(dir, { recursive: true, force: true }))
    return dir
  }
  const role: World['role'] = (name, options = {}, env = {}) =>
    start(`apps/bench/src/roles/${name}.ts`, [JSON.stringify(options)], env)
  return {
    folder,
    role,
    program: (path, env) => start(path, [], env),
    async redis(args = []) {
      const redis = await startLocalRedis({ dir: await folder(), args })
      closers.push(() => redis.stop())
      return redis
    },
    async far() {
      const started = role('far-side')
      const [, url = ''] = await started.waitForLine(/far side at (\S+)/, STARTED_MS_MAX)
      return createFar(url, started)
    },
    async postgres() {
      const found = await findPostgres()
      if (found === undefined) return { missing: NO_POSTGRES }
      const started = role('postgres', { ...found, dir: await folder() } satisfies PostgresOptions)
      const said = started.waitForLine(/postgres at (\S+)|no postgres: (.*)/, STARTED_MS_MAX)
      const [, url, problem] = await said.catch(({ message }: Error) => [message, undefined, message.split('\n')[0]])
      return url === undefined ? { missing: `PostgreSQL did not start: ${problem}` } : { url, version: found.version }
    },
    // Asked for twice, when somebody gives up while a measurement is failing.
    close: () => (closed ??= closeAll(closers)),
  }
}

/** What was started last uses what was started first. */
async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closers.toReversed()) await close()
}

/** Processes share the machine with whatever else is being measured or tested. */
export const STARTED_MS_MAX = 60_000

/** The last line of a role, which is its result. */
export async function resultOf<T>(started: StartedProcess, timeoutMs = 600_000): Promise<T> {
  const [, json = ''] = await started.waitForLine(/^result (.*)$/, timeoutMs)
  return JSON.parse(json) as T
}
