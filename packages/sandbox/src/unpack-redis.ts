// Debian's redis-server package, downloaded and unpacked beside the project. Its program needs libraries that a
// small system may lack, so those are worked out from the package's own dependencies and unpacked with it. The
// C library is never among them: another one than the system's own cannot be loaded, and every system has it.
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runCommand } from './run-command.ts'

export type UnpackedRedis = { command: string; env: Record<string, string> }
export type UnpackOptions = { binDir: string; allLibraries?: boolean; onProgress?: (text: string) => void }

// What is tried, in this order. In Debian the server's program lies in the tools package.
const PACKAGE_SETS = [
  { main: 'redis-server', parts: ['redis-server', 'redis-tools'], program: 'usr/bin/redis-server' },
  { main: 'valkey-server', parts: ['valkey-server', 'valkey-tools'], program: 'usr/bin/valkey-server' },
]
const PACKAGES_MAX = 40
const DOWNLOAD_MS_MAX = 300_000
const NEVER_UNPACKED = /^(libc6|libc-bin|libcrypt1)$/
const ADVICE =
  'Install Redis 7 or newer (Debian, Ubuntu: `apt-get install redis-server`; macOS: `brew install redis`) ' +
  'so that `redis-server` is on the PATH, or name a running one in REDIS_URL.'

const packageEnv = (): NodeJS.ProcessEnv => ({ ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' })
const run = (command: string, args: string[], cwd?: string) =>
  runCommand(command, args, { env: packageEnv(), timeoutMs: DOWNLOAD_MS_MAX, ...(cwd === undefined ? {} : { cwd }) })
const fail = (problem: string): never => {
  throw new Error(`There is no Redis on this machine: ${problem} ${ADVICE}`)
}

/** What an earlier call has unpacked into this folder, or null. */
export const findUnpackedRedis = async (binDir: string): Promise<UnpackedRedis | null> => {
  const root = join(binDir, 'root')
  const files: string[] = await readdir(root, { recursive: true }).catch(() => [])
  const program = PACKAGE_SETS.map((set) => set.program).find((path) => files.includes(path))
  if (program === undefined) return null
  const folders = new Set(files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => join(root, dirname(file))))
  const own = process.env.LD_LIBRARY_PATH
  const libraryPath = [...folders, ...(own ? [own] : [])].join(':')
  return { command: join(root, program), env: libraryPath === '' ? {} : { LD_LIBRARY_PATH: libraryPath } }
}

/** Downloads and unpacks a server with what it needs. Rejects with a message for people if that cannot be done. */
export const unpackRedisPackage = async (options: UnpackOptions): Promise<UnpackedRedis> => {
  const tools = await Promise.all([run('apt-get', ['--version']), run('dpkg-deb', ['--version'])])
  if (!tools.every((tool) => tool.ok)) fail('none is on the PATH, and only Debian and Ubuntu offer one to unpack.')
  const set = await findPackageSet(options)
  options.onProgress?.(`Downloading ${set.main} from the distribution (once, nothing is installed)`)
  await mkdir(options.binDir, { recursive: true })
  // Unpacked elsewhere first: two of us may do this at once, and a half-unpacked folder must never be found.
  const work = await mkdtemp(join(options.binDir, 'work-'))
  try {
    const staged = join(work, 'root')
    await mkdir(staged)
    for (const name of set.parts) await unpackOne(name, work)
    await unpackLibraries(set.parts, work, options.allLibraries === true)
    await rename(staged, join(options.binDir, 'root')).catch(async () => {
      // What lies there was found not to run (or another process was faster, with the same result).
      await rm(join(options.binDir, 'root'), { recursive: true, force: true })
      await rename(staged, join(options.binDir, 'root'))
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return checked(options.binDir)
}

const checked = async (binDir: string): Promise<UnpackedRedis> => {
  const unpacked = await findUnpackedRedis(binDir)
  if (unpacked === null) return fail('the downloaded package did not contain a server.')
  const test = await runCommand(unpacked.command, ['--version'], { env: { ...process.env, ...unpacked.env } })
  return test.ok ? unpacked : fail(`the downloaded server does not run (${test.stderr.trim()}).`)
}

type PackageSet = (typeof PACKAGE_SETS)[number]

const findPackageSet = async (options: UnpackOptions): Promise<PackageSet> => {
  const known = await firstKnown()
  if (known !== null) return known
  // The usual reason in a container: the package lists were removed to make the image small.
  if (process.getuid?.() !== 0) return fail('run `apt-get update` as root once, then start again.')
  options.onProgress?.('Fetching the package lists (apt-get update)')
  const update = await run('apt-get', ['update'])
  return (await firstKnown()) ?? fail(`apt-get offers no redis-server (${lastLine(update.stderr)}).`)
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

const firstKnown = async (): Promise<PackageSet | null> => {
  for (const set of PACKAGE_SETS) {
    const shown = await run('apt-cache', ['show', '--no-all-versions', set.main])
    if (shown.ok && /^Filename:/m.test(shown.stdout)) return set
  }
  return null
}

const unpackOne = async (name: string, work: string): Promise<void> => {
  const folder = await mkdtemp(join(work, 'deb-'))
  const download = await run('apt-get', ['download', name], folder)
  const [file] = (await readdir(folder)).filter((entry) => entry.endsWith('.deb'))
  if (file === undefined) return fail(`${name} could not be downloaded (${lastLine(download.stderr)}).`)
  const unpacked = await run('dpkg-deb', ['-x', join(folder, file), join(work, 'root')])
  if (!unpacked.ok) fail(`${name} could not be unpacked (${lastLine(unpacked.stderr)}).`)
}

/** Level by level: a library may need another one. */
const unpackLibraries = async (parts: readonly string[], work: string, all: boolean): Promise<void> => {
  const seen = new Set<string>(parts)
  let level = [...parts]
  while (level.length > 0) {
    const next: string[] = []
    for (const name of (await Promise.all(level.map(librariesOf))).flat()) {
      if (seen.has(name)) continue
      seen.add(name)
      if (seen.size > PACKAGES_MAX) return fail('its package depends on more than was expected.')
      if (!all && (await isInstalled(name))) continue
      await unpackOne(name, work)
      next.push(name)
    }
    level = next
  }
}

const librariesOf = async (name: string): Promise<string[]> => {
  const { stdout } = await run('apt-cache', ['depends', '--important', name])
  const names = [...stdout.matchAll(/^\s+\|?(?:Pre)?Depends: (lib[^\s<>:]+)/gm)].map((found) => found[1] ?? '')
  return names.filter((library) => !NEVER_UNPACKED.test(library))
}

const isInstalled = async (name: string): Promise<boolean> => {
  const { ok, stdout } = await run('dpkg-query', ['-s', name])
  return ok && /^Status: .*ok installed$/m.test(stdout)
}
