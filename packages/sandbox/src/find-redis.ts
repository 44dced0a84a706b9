// Somebody who wants to try this has Node and perhaps nothing else. A Redis is looked for on the PATH; on Debian
// and Ubuntu the distribution's own package is otherwise downloaded and unpacked into a folder, which installs
// nothing, starts no service and needs no root. Everywhere else a message says what to install.
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { runCommand } from './run-command.ts'
import { findUnpackedRedis, unpackRedisPackage } from './unpack-redis.ts'

const SERVER_NAMES = ['redis-server', 'valkey-server'] as const

export type FoundRedis = {
  command: string
  /** What the command needs beside our own environment: the libraries that were unpacked with it. */
  env: Record<string, string>
  source: 'path' | 'package'
}

export type FindRedisOptions = {
  /** Where to look for a server; the form of PATH, which is the default. Empty: nowhere. */
  searchPath?: string
  /** Where a downloaded package is unpacked. Default `.data/redis-bin` in the repository. */
  binDir?: string
  /** Unpack the libraries too that the system already has. For tests of that very step. */
  allLibraries?: boolean
  /** Told when a download begins, since that takes some seconds. */
  onProgress?: (text: string) => void
}

const REPOSITORY = resolve(import.meta.dirname, '../../..')

/** The first executable of this name in a PATH-like list, or null. */
export const findOnPath = async (name: string, searchPath: string): Promise<string | null> => {
  for (const folder of searchPath.split(delimiter).filter(Boolean)) {
    const file = join(folder, name)
    try {
      await access(file, constants.X_OK)
      if ((await stat(file)).isFile()) return file
    } catch {
      // Not in this folder.
    }
  }
  return null
}

/** Finds a Redis or Valkey server. Rejects with a message for people if there is none and none can be had. */
export const findRedis = async (options: FindRedisOptions = {}): Promise<FoundRedis> => {
  const searchPath = options.searchPath ?? process.env.PATH ?? ''
  for (const name of SERVER_NAMES) {
    const command = await findOnPath(name, searchPath)
    if (command !== null && (await runs(command, {}))) return { command, env: {}, source: 'path' }
  }
  const binDir = options.binDir ?? join(REPOSITORY, '.data/redis-bin')
  const unpacked = await findUnpackedRedis(binDir)
  if (unpacked !== null && (await runs(unpacked.command, unpacked.env))) return { ...unpacked, source: 'package' }
  const fresh = await unpackRedisPackage({ ...options, binDir })
  return { ...fresh, source: 'package' }
}

/** A file of the right name proves little: a library may be missing, or it was built for another machine. */
const runs = async (command: string, env: Record<string, string>): Promise<boolean> =>
  (await runCommand(command, ['--version'], { env: { ...process.env, ...env }, timeoutMs: 10_000 })).ok
