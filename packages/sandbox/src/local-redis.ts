// A Redis of our own for a trial run and for tests: real, persistent, on the loopback alone, and gone with us.
// "Gone with us" must hold even when this process is killed with -9 and can do nothing any more. So a small shell
// stands between: it holds a pipe from us, and when that pipe ends – for whatever reason – it ends the server.
//
// "On the loopback alone" is on every machine with other accounts not alone enough. So the folder is its owner's, and a
// Redis that holds anything worth having gets a password, new at every start: in a file of the folder for the server,
// since `ps` shows everybody its arguments, and in another for whoever may use it.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { askRedis } from './ask-redis.ts'
import { type FindRedisOptions, findRedis } from './find-redis.ts'
import { freeLoopbackPort } from './free-port.ts'
import { closeFolder, makePrivateFolder, writePrivateFile } from './private-folder.ts'
import { commandLineOf } from './process-table.ts'

export type LocalRedisOptions = FindRedisOptions & {
  /**
   * Holds the append-only file, the log and the pid file. The same folder can be started again. It becomes its owner's
   * alone, and so does everything in it.
   */
  dir: string
  /** Draws a password, which stands in nothing but `url`, here and in the folder's file of that name. Default false. */
  drawPassword?: boolean
  /** Default 0: a free loopback port. */
  port?: number
  /** Default true. */
  appendonly?: boolean
  /** A file of settings that come before all others. A Sentinel needs one and writes to it. */
  configFile?: string
  /** Further arguments for the server, after ours: `['--maxmemory', '64mb']`. */
  args?: readonly string[]
  /** How long a server that an earlier owner left in this folder may take to end. Default 8 s. */
  predecessorTimeoutMs?: number
  /** How long it may take until it answers. Default 30 s: a large append-only file is read first. */
  readyTimeoutMs?: number
}

export type LocalRedis = {
  /** With the password, if one was drawn. */
  url: string
  password: string | undefined
  port: number
  /** The server's own process id. */
  pid: number
  dir: string
  /** Resolves when the server has ended, for whatever reason. */
  exited: Promise<void>
  /** Ends it in order; after 10 s by force. May be called twice. */
  stop: () => Promise<void>
  /** Kills the server with -9, as a crash would; resolves when it is gone. */
  kill9: () => Promise<void>
}

// The guard: fd 3 keeps the pipe, since background commands get no stdin. It prints the server's pid, waits for
// it and leaves with its status. `read` waits without a further process; a server that does not listen to the
// signal is killed after 5 s.
const GUARD = `
umask 077
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
echo "$server"
(
  while read -r _; do :; done
  kill "$server" 2>/dev/null
  tries=0
  while kill -0 "$server" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 50 ]; then kill -9 "$server" 2>/dev/null; fi
    sleep 0.1
  done
) <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null 2>&1
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`
const PORT_TRIES = 5
const STOP_MS_MAX = 10_000
const PREDECESSOR_MS = 8_000

type Started = { guard: ChildProcess; pid: number; exited: Promise<void>; stderr: () => string }

/**
 * Starts a Redis and resolves once it answers. Rejects if none can be found (the message says what to install), if
 * another one still works in this folder, or with the end of its log if it does not come up.
 */
export const startLocalRedis = async (options: LocalRedisOptions): Promise<LocalRedis> => {
  const dir = resolve(options.dir)
  await makePrivateFolder(dir)
  await waitForPredecessor(dir, options.predecessorTimeoutMs ?? PREDECESSOR_MS)
  await closeFolder(dir)
  const found = await findRedis(options)
  const fixedPort = options.port ?? 0
  for (let attempt = 1; ; attempt += 1) {
    const port = fixedPort === 0 ? await freeLoopbackPort() : fixedPort
    const logStart = await sizeOf(join(dir, 'redis.log'))
    // Drawn for each attempt: whoever else answers at a port that was just taken has heard it.
    const password = options.drawPassword === true ? randomBytes(24).toString('base64url') : undefined
    const at = { port, password, dir }
    const args = [...(await passwordArgs(at)), ...serverArgs({ ...options, dir, port })]
    const started = await startGuarded([found.command, ...args], { ...process.env, ...found.env })
    if (await becomesReady(started, at, options.readyTimeoutMs ?? 30_000)) return handle(started, at)
    await end(started, 'SIGKILL')
    const log = (await tailOf(join(dir, 'redis.log'), logStart)) + started.stderr()
    const portTaken = /Address already in use/.test(log)
    if (portTaken && fixedPort === 0 && attempt < PORT_TRIES) continue
    throw new Error(`Redis did not start on port ${port} with its data in ${dir}. Its last words:\n${log}`)
  }
}

type Place = { port: number; password: string | undefined; dir: string }

const urlOf = ({ port, password }: Place): string =>
  `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`

/** Writes the two files that hold the password: to the server, and to whoever may use it. */
const passwordArgs = async (place: Place): Promise<string[]> => {
  if (place.password === undefined) return []
  const config = join(place.dir, 'redis.conf')
  await writePrivateFile(config, `requirepass ${place.password}\n`)
  await writePrivateFile(join(place.dir, 'url'), `${urlOf(place)}\n`)
  return [config]
}

const serverArgs = (options: LocalRedisOptions & { port: number }): string[] => {
  const network = ['--port', String(options.port), '--bind', '127.0.0.1', '--protected-mode', 'yes']
  const files = ['--dir', options.dir, '--pidfile', join(options.dir, 'redis.pid')]
  // A file and not a pipe to us: a pipe that nobody reads would stop the server.
  const log = ['--logfile', join(options.dir, 'redis.log'), '--daemonize', 'no']
  const appendonly = options.appendonly === false ? 'no' : 'yes'
  const keeping = ['--appendonly', appendonly, '--appendfsync', 'everysec', '--save', '']
  const config = options.configFile === undefined ? [] : [options.configFile]
  return [
    ...config,
    ...network,
    ...files,
    ...log,
    ...keeping,
    '--maxmemory-policy',
    'noeviction',
    ...(options.args ?? []),
  ]
}

/** Two servers on one append-only file would spoil it. The last owner's server may need a moment to go. */
const waitForPredecessor = async (dir: string, limitMs: number): Promise<void> => {
  const pidFile = join(dir, 'redis.pid')
  const deadline = Date.now() + limitMs
  for (;;) {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'))
    const commandLine = pid > 0 ? await commandLineOf(pid) : null
    if (commandLine === null || !/(redis|valkey)-/.test(commandLine)) return rm(pidFile, { force: true })
    if (Date.now() > deadline) throw new Error(`Another Redis (process ${pid}) still works in ${dir}.`)
    await delay(100)
  }
}

const startGuarded = async (command: string[], env: NodeJS.ProcessEnv): Promise<Started> => {
  // Detached: Ctrl-C in a terminal goes to the whole group, and the server must outlive what still uses it.
  const guard = spawn('/bin/sh', ['-c', GUARD, 'redis-guard', ...command], { env, detached: true })
  const exited = new Promise<void>((done) => {
    guard.once('exit', () => done())
    guard.once('error', () => done())
  })
  let stderr = ''
  guard.stderr.on('data', (chunk) => {
    stderr = (stderr + String(chunk)).slice(-4096)
  })
  guard.stdin.on('error', () => undefined)
  const firstLine = once(guard.stdout, 'data').then(([chunk]) => Number(String(chunk).trim()))
  const pid = await Promise.race([firstLine, exited.then(() => Number.NaN)])
  if (!Number.isInteger(pid)) throw new Error(`The shell that guards Redis did not start. ${stderr}`)
  return { guard, pid, exited, stderr: () => stderr }
}

/** True once this very server answers and has read its data; false when it has ended or time is up. */
const becomesReady = async (started: Started, redis: Place, limitMs: number): Promise<boolean> => {
  let ended = false
  void started.exited.then(() => {
    ended = true
  })
  const deadline = Date.now() + limitMs
  while (!ended && Date.now() < deadline) {
    // Somebody else's Redis may hold the port, so the answer must carry our server's pid.
    const info = await askRedis(redis, 'INFO').catch(() => '')
    // By a password of the caller's own, in its arguments.
    if (info.startsWith('-NOAUTH')) return true
    // A Sentinel has nothing to load, and says nothing of it.
    if (info.includes(`process_id:${started.pid}\r\n`) && !info.includes('loading:1\r\n')) return true
    await delay(20)
  }
  return false
}

const handle = (started: Started, place: Place): LocalRedis => {
  const { guard, pid, exited } = started
  // The server must not keep this process alive: whoever forgets to stop it still gets to its end.
  guard.unref()
  for (const stream of [guard.stdin, guard.stdout, guard.stderr]) (stream as unknown as { unref(): void }).unref()
  const ending = { exited, stop: () => end(started, 'SIGTERM'), kill9: () => end(started, 'SIGKILL') }
  return { url: urlOf(place), ...place, pid, ...ending }
}

const end = async ({ guard, pid, exited }: Started, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
  guard.ref()
  // Once the guard has gone, so has the server, and its pid may be anybody's.
  const signalServer = (name: NodeJS.Signals): void => {
    if (guard.exitCode !== null || guard.signalCode !== null) return
    try {
      process.kill(pid, name)
    } catch {
      // It ended on its own just now.
    }
  }
  signalServer(signal)
  const timer = setTimeout(signalServer, STOP_MS_MAX, 'SIGKILL')
  await exited
  clearTimeout(timer)
}

const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size

const tailOf = async (file: string, start: number): Promise<string> => {
  const handle = await open(file, 'r').catch(() => null)
  if (handle === null) return ''
  try {
    const size = (await handle.stat()).size
    const from = Math.max(start, size - 4096)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, from)
    return buffer.subarray(0, bytesRead).toString()
  } finally {
    await handle.close()
  }
}
