/**
 * A PostgreSQL for the peer. Nothing is installed for it: where the machine has none, the peer is left out and the reason is said.
 * `roles/postgres.ts` starts the server in a folder of the bench, and ends with the bench.
 */
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export interface FoundPostgres {
  /** The folder of its programs. */
  readonly bin: string
  readonly version: string
}

/** One that runs. */
export interface Postgres {
  readonly url: string
  readonly version: string
}

export interface PostgresOptions extends FoundPostgres {
  /** Empty. Everything of the server lies in it. */
  readonly dir: string
}

/** Where Debian and Ubuntu put the programs, which they keep off the PATH. */
const DEBIAN = '/usr/lib/postgresql/*/bin'
const PROGRAMS = ['initdb', 'postgres'] as const

/**
 * `BENCH_POSTGRES_BIN` names the one folder to look into; without it the PATH is searched and then Debian's folders, the newest first.
 * @returns undefined where there is none
 */
export async function findPostgres(env: NodeJS.ProcessEnv = process.env): Promise<FoundPostgres | undefined> {
  const named = env['BENCH_POSTGRES_BIN']
  const folders = named === undefined ? [...(env['PATH'] ?? '').split(delimiter), ...debianFolders()] : [named]
  for (const bin of folders.filter(Boolean)) {
    const version = await versionIn(bin)
    if (version !== undefined) return { bin, version }
  }
  return undefined
}

function debianFolders(): string[] {
  return globSync(DEBIAN).toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
}

async function versionIn(bin: string): Promise<string | undefined> {
  try {
    await Promise.all(PROGRAMS.map((program) => access(join(bin, program), constants.X_OK)))
    const { stdout } = await promisify(execFile)(join(bin, 'postgres'), ['--version'])
    return /\d+(\.\d+)*/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}

/**
 * As somebody who runs a queue on it sets it. A commit does not wait for the disk, as Redis does not with `appendfsync everysec`: what
 * a crash of the machine can lose is half a second here and a second there. The rest is memory, no checkpoint while it is measured,
 * and no compiler for short statements.
 */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  synchronous_commit: 'off',
  shared_buffers: '512MB',
  work_mem: '64MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
  random_page_cost: '1.1',
  jit: 'off',
}
