// A gateway that others could reach, as a process of its own, with keys of several kinds, and what it costs the machine.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashApiKey, newApiKey } from '@wechat-outbox/runtime'
import { type LocalRedis, type StartedProcess, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'
import { ROOT } from '../../../scripts/run.ts'
import { APP } from './oddities.ts'
import { OTHER_APP } from './requests.ts'

export const PASSWORD = 'only-for-this-test'
export const BASIC = Buffer.from(`operator:${PASSWORD}`).toString('base64')
export const PUSH_TOKEN = 'onlyForThisTest4711'
export const apiKeys = { all: newApiKey(), other: newApiKey(), reader: newApiKey() }

/** Runs the collector when it is told to, so that what is left is what is held. */
const COLLECT = 'data:text/javascript,process.on("SIGUSR2",()=>{gc();gc()})'

export interface Target {
  readonly redis: LocalRedis
  readonly gateway: StartedProcess
  readonly port: number
  stop(): Promise<void>
}

export async function startTarget(env: Record<string, string> = {}): Promise<Target> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-abuse-'))
  const redis = await startLocalRedis({ dir, appendonly: false })
  const file = join(dir, 'keys.json')
  const keys = [
    { id: 'all', hash: hashApiKey(apiKeys.all) },
    { id: 'other', hash: hashApiKey(apiKeys.other), apps: [OTHER_APP] },
    { id: 'reader', hash: hashApiKey(apiKeys.reader), rights: ['read'] },
  ]
  await writeFile(file, JSON.stringify(keys))
  const gateway = startProcess({
    args: ['--expose-gc', '--import', COLLECT, 'apps/gateway/src/main.ts'],
    cwd: ROOT,
    name: 'gateway',
    env: {
      REDIS_URL: redis.url,
      WECHAT_APP_ID: APP,
      PUSH_TOKEN,
      GATEWAY_HOST: '0.0.0.0',
      GATEWAY_PORT: '0',
      GATEWAY_ALLOWED_HOSTS: '127.0.0.1',
      GATEWAY_KEYS_FILE: file,
      DASHBOARD_USER: 'operator',
      DASHBOARD_PASSWORD: PASSWORD,
      ...env,
    },
  })
  const stop = async (): Promise<void> => {
    await gateway.stop()
    await redis.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const [, url = ''] = await gateway.waitForLine(/"gateway.listening".*"url":"([^"]+)"/, 45_000)
    return { redis, gateway, port: Number(new URL(url).port), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What an attack has cost at most. */
export interface Cost {
  /** Resident memory. */
  readonly mebibytes: number
  readonly descriptors: number
  /** How long `/healthz` took to answer. */
  readonly pauseMs: number
  readonly probes: number
}

export interface Watch {
  /** Resolves once `/healthz` has answered so many times more. */
  probes(count: number): Promise<void>
  stop(): Promise<Cost>
}

const LOOK_EVERY_MS = 20

/** Asks for `/healthz` all the time, on a connection of its own each time, and reads what Linux says of the process. */
export function watch({ port, gateway }: Target): Watch {
  let cost: Cost = { mebibytes: 0, descriptors: 0, pauseMs: 0, probes: 0 }
  let isOver = false
  const look = async (): Promise<void> => {
    const asked = performance.now()
    await askHealth(port)
    const pauseMs = performance.now() - asked
    const { mebibytes, descriptors } = await usage(gateway.pid)
    cost = {
      mebibytes: Math.max(cost.mebibytes, mebibytes),
      descriptors: Math.max(cost.descriptors, descriptors),
      pauseMs: Math.max(cost.pauseMs, pauseMs),
      probes: cost.probes + 1,
    }
  }
  const looking = (async () => {
    while (!isOver) {
      await look()
      await sleep(LOOK_EVERY_MS)
    }
  })()
  return {
    async probes(count) {
      const enough = cost.probes + count
      while (cost.probes < enough) await Promise.race([sleep(LOOK_EVERY_MS), looking])
    },
    async stop() {
      isOver = true
      await looking
      return cost
    },
  }
}

/** A table of what the attacks have cost, for people. */
export function costTable(rows: readonly { readonly attack: string; readonly cost: Cost }[]): string {
  const line = (...cells: (string | number)[]): string =>
    cells.map((cell, n) => String(cell).padEnd(n === 0 ? 64 : 14)).join('')
  return [
    line('attack', 'memory MiB', 'descriptors', '/healthz ms'),
    ...rows.map(({ attack, cost: { mebibytes, descriptors, pauseMs } }) =>
      line(attack, Math.round(mebibytes), descriptors, Math.round(pauseMs)),
    ),
  ].join('\n')
}

function askHealth(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (answer) => {
      answer.resume()
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`/healthz: ${answer.statusCode}`)),
      )
      answer.on('error', reject)
    })
    asking.on('error', reject)
    asking.end()
  })
}

async function usage(pid: number): Promise<{ mebibytes: number; descriptors: number }> {
  const [status, descriptors] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8'), readdir(`/proc/${pid}/fd`)])
  return { mebibytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024, descriptors: descriptors.length }
}
