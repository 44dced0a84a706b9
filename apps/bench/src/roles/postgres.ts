/**
 * Starts a PostgreSQL that lives as long as this process. PostgreSQL refuses to run as root, so for root it runs as `nobody`. Prints
 * its URL, or why there is none: a measurement that lacks its peer is left out, and the others go on.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freeLoopbackPort } from '@wechat-outbox/sandbox'
import { POSTGRES_SETTINGS, type PostgresOptions } from '../postgres.ts'

const { bin, dir } = JSON.parse(process.argv[2] ?? '{}') as PostgresOptions
const USER = 'bench'
const PORT_TRIES = 5
const run = promisify(execFile)
let server: ChildProcess | undefined

interface Owner {
  readonly uid?: number
  readonly gid?: number
}

async function ownerOf(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {}
  const ask = async (what: '-u' | '-g'): Promise<number> => Number((await run('id', [what, 'nobody'])).stdout)
  return { uid: await ask('-u'), gid: await ask('-g') }
}

/** Nothing of PostgreSQL's own environment, which may name another server. */
const place = (owner: Owner) => ({ ...owner, cwd: dir, env: { PATH: process.env['PATH'], LC_ALL: 'C' } })

/** Others on this machine reach the port, so there is a password. */
async function createCluster(owner: Owner): Promise<string> {
  const password = randomBytes(16).toString('hex')
  const file = join(dir, 'password')
  await writeFile(file, password, { mode: 0o600 })
  const { uid, gid } = owner
  if (uid !== undefined && gid !== undefined) for (const path of [dir, file]) await chown(path, uid, gid)
  const access = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', file]
  await run(
    join(bin, 'initdb'),
    ['-D', join(dir, 'data'), '-E', 'UTF8', '--locale', 'C', '--no-sync', ...access],
    place(owner),
  )
  return password
}

/** @returns undefined once it takes connections, or its last line when it has ended */
async function startServer(owner: Owner, port: number): Promise<string | undefined> {
  const settings = {
    ...POSTGRES_SETTINGS,
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(join(bin, 'postgres'), ['-D', join(dir, 'data'), ...args], {
    ...place(owner),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  server = child
  let last = ''
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('exit', () => resolve(last))
    // Read to the end: a pipe that nobody reads would stop the server.
    createInterface(child.stderr).on('line', (line) => {
      last = line
      if (line.includes('ready to accept connections')) resolve(undefined)
    })
  })
}

async function start(): Promise<string> {
  const owner = await ownerOf()
  const password = await createCluster(owner)
  for (let tries = 1; ; tries += 1) {
    const port = await freeLoopbackPort()
    const problem = await startServer(owner, port)
    if (problem === undefined) return `postgres at postgres://${USER}:${password}@127.0.0.1:${port}/postgres`
    if (tries === PORT_TRIES) return `no postgres: ${problem}`
  }
}

/** Its data are thrown away, so it need not write them out. */
const quit = (): void => void server?.kill('SIGQUIT')
process.once('exit', quit)
process.once('SIGTERM', () => {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) process.exit(0)
  server.once('exit', () => process.exit(0))
  quit()
})

const said = await start().catch((error: Error) => `no postgres: ${error.message.split('\n')[0]}`)
process.stdout.write(`${said}\n`)
