// The image, without Docker: the files that the Dockerfile copies are put into a folder, its commands run there, and the
// services of the compose file are started from it, checked by their own health checks and told to end.
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, SANDBOX_APP_ID, SANDBOX_APP_SECRET, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { gatewayEnvSchema } from '@wechat-outbox/gateway'
import {
  freeLoopbackPort,
  type LocalRedis,
  type StartedProcess,
  startLocalRedis,
  startProcess,
} from '@wechat-outbox/sandbox'
import { workerEnvSchema } from '@wechat-outbox/worker'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ROOT, run } from '../scripts/run.ts'
import {
  type ComposeService,
  copyContext,
  type Instruction,
  interpolate,
  readCompose,
  readDockerfile,
  readDockerignore,
} from './support/docker-files.ts'

const MINUTE_MS = 60_000
const WHAT_CLOSING_TAKES_MS = 5000

const stages = await readDockerfile(join(ROOT, 'Dockerfile'))
const services = await readCompose(join(ROOT, 'docker-compose.yml'))
const isIgnored = await readDockerignore(join(ROOT, '.dockerignore'))
const final = stages.at(-1) ?? []
const valueOf = (name: string): string | undefined => final.findLast((instruction) => instruction.name === name)?.value
const ours = Object.entries(services).filter(([, service]) => service.image === 'wechat-outbox')

let folder: string
let redis: LocalRedis
let wechat: FakeWechat
const started: StartedProcess[] = []

/** Does what a stage of the Dockerfile says, with the folder in the place of its WORKDIR. */
async function build(stage: readonly Instruction[]): Promise<void> {
  for (const { name, value } of stage) {
    switch (name) {
      case 'COPY':
        // From another stage: the folder has it already, because all stages share it here.
        if (/^--from=install \/app \.$/.test(value)) break
        expect(value).toBe('. .')
        await copyContext(ROOT, folder, isIgnored)
        break
      case 'RUN': {
        const { ok, output } = await run(['sh', '-c', value], { cwd: folder, env: { CI: 'true' } })
        expect(ok, output).toBe(true)
        break
      }
      default:
        expect(['FROM', 'WORKDIR', 'ENV', 'USER', 'EXPOSE', 'STOPSIGNAL', 'CMD']).toContain(name)
    }
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wechat-outbox-image-'))
  ;[redis, wechat] = await Promise.all([startLocalRedis({ dir: join(folder, 'redis') }), startFakeWechat()])
  for (const stage of stages) await build(stage)
}, 4 * MINUTE_MS)

afterAll(async () => {
  await Promise.all(started.map((process) => process.kill9()))
  await Promise.all([redis?.stop(), wechat?.close()])
  await rm(folder, { recursive: true, force: true })
})

/** A service as Compose would start it; only hosts that exist in its network alone, and ports, are this machine's. */
async function localise(service: ComposeService) {
  const port = await freeLoopbackPort()
  const containerPort = service.ports[0]?.split(':').at(-1) ?? ''
  const secrets = {
    WECHAT_APP_ID: SANDBOX_APP_ID,
    WECHAT_APP_SECRET: SANDBOX_APP_SECRET,
    WECHAT_API_BASE_URL: wechat.url,
    GATEWAY_API_KEYS: 'a-key-for-this-test-alone',
    DASHBOARD_USER: 'operator',
    DASHBOARD_PASSWORD: 'a password for this test alone',
    REDIS_PASSWORD: 'forThisTestAlone',
  }
  const here = (text: string): string =>
    interpolate(text, secrets)
      .replace('redis://:forThisTestAlone@redis:6379', redis.url)
      .replace(new RegExp(`\\b${containerPort}\\b`), `${port}`)
  const environment = Object.entries(service.environment).map(([name, value]) => [name, here(value)])
  return {
    env: Object.fromEntries(environment) as Record<string, string>,
    health: service.healthcheck.test.slice(1).map(here),
  }
}

describe('the image', () => {
  it('holds neither secrets nor what only developers need', async () => {
    for (const path of [
      '.env',
      '.git/config',
      '.data/x',
      'node_modules/x',
      'apps/worker/node_modules/x',
      'test/x.ts',
    ]) {
      expect(isIgnored(path), path).toBe(true)
    }
    expect(await readdir(join(folder, 'packages'))).toEqual(
      expect.not.arrayContaining(['sandbox', 'fake-wechat', 'test-world']),
    )
    const installed = await readdir(join(folder, 'node_modules/.pnpm'))
    expect(installed.filter((name) => /^(node|typescript|vitest|playwright-core)@/.test(name))).toEqual([])
    expect(existsSync(join(folder, 'apps/worker/test'))).toBe(false)
  })

  it('runs as somebody else than root, and gets the signal that the processes end on', () => {
    expect(valueOf('USER')).toBe('node')
    expect(valueOf('STOPSIGNAL')).toBe('SIGTERM')
    expect(JSON.parse(valueOf('CMD') ?? '')).toEqual(services['worker']?.command)
  })
})

describe('the compose file', () => {
  it('lets nobody in from other machines', () => {
    const ports = Object.values(services).flatMap((service) => service.ports)
    expect(ports.length).toBeGreaterThan(0)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  it('starts nothing while a secret is missing', () => {
    const text = JSON.stringify(services)
    for (const name of [
      'WECHAT_APP_ID',
      'WECHAT_APP_SECRET',
      'GATEWAY_API_KEYS',
      'DASHBOARD_USER',
      'DASHBOARD_PASSWORD',
      'REDIS_PASSWORD',
    ]) {
      const [placeholder = ''] = new RegExp(`\\$\\{${name}:\\?[^}]+\\}`).exec(text) ?? []
      expect(() => interpolate(placeholder, {})).toThrow(name)
      expect(text.replaceAll(placeholder, '')).not.toContain(`\${${name}`)
    }
  })

  it('shows in .env.example what it asks for, required or not, and nothing else', async () => {
    const example = await readFile(join(ROOT, '.env.example'), 'utf8')
    const asked = [...JSON.stringify(services).matchAll(/\$\{(\w+):([?-])/g)]
    const named = (kind: string): string[] =>
      [...new Set(asked.flatMap(([, name = '', mark]) => (mark === kind ? [name] : [])))].toSorted()
    const written = (pattern: RegExp): string[] =>
      [...example.matchAll(pattern)].map(([, name = '']) => name).toSorted()
    expect(written(/^([A-Z_]+)=$/gm)).toEqual(named('?'))
    expect(written(/^#([A-Z_]+)=/gm)).toEqual(named('-'))
  })

  it.each([
    // What needs a file in the container, or is another for each worker, stands in a compose file of one's own.
    ['worker', workerEnvSchema, ['WECHAT_APPS_FILE', 'WORKER_APPS', 'WORKER_SHARD', 'WORKER_ALLOWED_HOSTS']],
    ['gateway', gatewayEnvSchema, ['WECHAT_APPS_FILE', 'GATEWAY_KEYS_FILE']],
  ] as const)('passes every setting on to the %s', (name, schema, others) => {
    const passed = Object.keys(services[name]?.environment ?? {})
    expect([...passed, ...others].toSorted()).toEqual(Object.keys(schema.shape).toSorted())
  })

  it('keeps messages over a restart, never evicts one, and has what wxo doctor asks for', async () => {
    const command = (services['redis']?.command ?? []).map((part) => interpolate(part, { REDIS_PASSWORD: 'pw' }))
    expect(command.join(' ')).toMatch(
      /--appendonly yes .*--maxmemory \S+ --maxmemory-policy noeviction --requirepass pw/,
    )
    const [program, ...args] = command
    expect(program).toBe('redis-server')
    const own = await startLocalRedis({ dir: join(folder, 'own-redis'), args: args.slice(0, -2) })
    const env = { REDIS_URL: own.url, WECHAT_API_BASE_URL: wechat.url }
    const doctor = await run(['node', 'apps/cli/src/main.ts', 'doctor', '--json'], { cwd: folder, env })
    await own.stop()
    expect(JSON.parse(doctor.output)).toMatchObject({
      problems: [expect.stringContaining('No worker serves any app')],
      warnings: [],
    })
    expect(services['redis']?.volumes).toEqual([expect.stringMatching(/:\/data$/)])
  })

  it.each(ours)('gives %s longer to end than it asks for', (_, service) => {
    const shutdownMs = workerEnvSchema.shape.SHUTDOWN_TIMEOUT_MS.parse(service.environment['SHUTDOWN_TIMEOUT_MS'])
    expect(Number.parseInt(service.stop_grace_period) * 1000).toBeGreaterThan(shutdownMs + WHAT_CLOSING_TAKES_MS)
    expect(service.restart).toBe('unless-stopped')
  })

  it.each(ours)('starts %s, finds it healthy, and ends it with 0', async (name, service) => {
    const { env, health } = await localise(service)
    const isHealthy = async (): Promise<boolean> => (await run(health, { timeoutMs: 10_000 })).ok
    expect(await isHealthy(), 'before the start').toBe(false)
    const [node, ...args] = service.command
    expect(node).toBe('node')
    const process = startProcess({ args, cwd: folder, env: { ...env, NODE_ENV: 'production' }, name })
    started.push(process)
    await vi.waitFor(async () => expect(await isHealthy(), process.stdout() + process.stderr()).toBe(true), {
      timeout: 20_000,
      interval: 200,
    })
    expect(await process.stop(valueOf('STOPSIGNAL') as NodeJS.Signals)).toEqual({ code: 0, signal: null })
    expect(await isHealthy(), 'after the end').toBe(false)
  })
})
