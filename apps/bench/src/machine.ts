/** On what it was measured: enough to judge the figures, and nothing that says whose machine it is. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus, platform, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { findRedis } from '@wechat-outbox/sandbox'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
}

export async function readMachine(): Promise<Machine> {
  const all = cpus()
  return {
    cpu: (all[0]?.model ?? 'unknown').trim(),
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()}`,
    versions: {
      node: process.versions.node,
      redis: await redisVersion(),
      bullmq: versionOf('bullmq'),
      ioredis: versionOf('ioredis'),
      undici: versionOf('undici'),
    },
  }
}

async function redisVersion(): Promise<string> {
  const { command, env } = await findRedis()
  const { stdout } = await promisify(execFile)(command, ['--version'], { env: { ...process.env, ...env } })
  return /v=(\S+)/.exec(stdout)?.[1] ?? 'unknown'
}

/** As the package is installed for whoever uses it here. */
export function versionOf(name: string): string {
  // ioredis is the outbox's; the bench has it through that package.
  const from = import.meta.resolve(name === 'ioredis' ? '@wechat-outbox/outbox' : name)
  const entry = createRequire(from).resolve(name)
  const root = entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}/`.length)
  return (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }).version
}
