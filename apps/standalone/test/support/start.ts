/** Starts the real program in a folder of its own, on free ports, without what the tester's own environment may hold. */
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StartedProcess, startProcess } from '@wechat-outbox/sandbox'
import { expect, vi } from 'vitest'

const MAIN = `${import.meta.dirname}/../../src/main.ts`
const UP_MS_MAX = 30_000

const CLEAN = Object.fromEntries(
  Object.keys(process.env).flatMap((name) =>
    /^(REDIS|WECHAT|WORKER|GATEWAY|RETRY|RETAIN|DASHBOARD|PUSH|CALLBACK|OTEL|SEND_|LOG_LEVEL|SHUTDOWN)/.test(name)
      ? [[name, undefined]]
      : [],
  ),
)
const FREE_PORTS = { GATEWAY_PORT: '0', WORKER_PORT: '0' }
type Env = Record<string, string | undefined>

/** Folders and processes that end with the test. */
export function createBench() {
  const started: StartedProcess[] = []
  const dirs: string[] = []
  return {
    async dir(): Promise<string> {
      const dir = await mkdtemp(join(tmpdir(), 'standalone-'))
      dirs.push(dir)
      return dir
    },
    start(args: readonly string[], env: Env = {}): StartedProcess {
      const program = startProcess({ args: [MAIN, ...args], env: { ...CLEAN, ...FREE_PORTS, ...env }, name: 'start' })
      started.push(program)
      return program
    },
    /** Under something that looks like npx; the program's own pid is told first. */
    async startBelowNpx(args: readonly string[]): Promise<{ npx: StartedProcess; pid: number }> {
      const main = ['/bin/sh', '-c', 'echo "main $$"; exec "$@"', 'sh', process.execPath, MAIN, ...args]
      const fixture = `${import.meta.dirname}/../fixtures/npx-cli.js`
      const npx = startProcess({ args: [fixture, ...main], env: { ...CLEAN, ...FREE_PORTS } })
      started.push(npx)
      const [, pid] = await npx.waitForLine(/^main (\d+)$/)
      return { npx, pid: Number(pid) }
    },
    async clear(): Promise<void> {
      await Promise.all(started.splice(0).map((program) => program.stop()))
      // Redis may still be writing its last words there.
      await Promise.all(dirs.splice(0).map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 20 })))
    },
  }
}

export const untilUp = (program: StartedProcess) => program.waitForLine(/^Ctrl-C ends it/, UP_MS_MAX)

/** What the program says under a name in its list of addresses. */
export async function addressOf(program: StartedProcess, name: string): Promise<string> {
  const [, address = ''] = await program.waitForLine(new RegExp(`^  ${name} +(\\S+)`), UP_MS_MAX)
  return address
}

type RedisFolder = 'redis' | 'redis-sandbox'

export async function redisPid(dir: string, folder: RedisFolder = 'redis-sandbox'): Promise<number> {
  return Number(await readFile(join(dir, folder, 'redis.pid'), 'utf8'))
}

/** With the password, as the program's owner finds it. */
export async function redisUrl(dir: string, folder: RedisFolder): Promise<string> {
  return (await readFile(join(dir, folder, 'url'), 'utf8')).trim()
}

/** Whether a process still runs. One that has ended and was not collected by its parent counts as ended. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return !/\) Z [^)]*$/.test(stat)
}

export async function untilGone(pid: number): Promise<void> {
  await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 15_000 })
}

/** Whether somebody listens at a URL's port. */
export async function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
