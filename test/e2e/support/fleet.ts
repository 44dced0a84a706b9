/** Many apps: a Redis, the fake WeChat in this process, a file of apps, and workers as processes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeWechat, startFakeWechat } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import { type LocalRedis, type StartedProcess, startLocalRedis, startProcess } from '@wechat-outbox/sandbox'

const ROOT = join(import.meta.dirname, '../../..')

export interface FleetApp {
  readonly appid: string
  readonly secret: string
  readonly concurrency?: number
  readonly maxPerSecond?: number
}

export interface Fleet {
  readonly redis: LocalRedis
  readonly client: RedisClient
  readonly fake: FakeWechat
  outbox(appid: string): Outbox
  /** Overwrites the file; text is written as it is. */
  writeApps(apps: readonly FleetApp[] | string): Promise<void>
  worker(env?: Record<string, string>): Promise<StartedProcess>
  close(): Promise<void>
}

export function fleetApps(count: number): FleetApp[] {
  return Array.from({ length: count }, (_, at) => ({
    appid: `wx${(at + 1).toString(16).padStart(16, '0')}`,
    secret: `secret0of0app0${at + 1}`,
  }))
}

/** What the fake knows may be more than what the file lists. */
export async function startFleet(known: readonly FleetApp[], env: Record<string, string> = {}): Promise<Fleet> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-fleet-'))
  const file = join(dir, 'apps.json')
  const redis = await startLocalRedis({ dir })
  const fake = await startFakeWechat({ apps: known })
  const client = connectRedis(redis.url, 'operate')
  const outboxes = new Map<string, Outbox>()
  const workers: StartedProcess[] = []
  const fleet: Fleet = {
    redis,
    client,
    fake,
    outbox(appid) {
      const made = outboxes.get(appid) ?? new Outbox({ redis: redis.url, appid })
      outboxes.set(appid, made)
      return made
    },
    writeApps: (apps) => writeFile(file, typeof apps === 'string' ? apps : JSON.stringify(apps)),
    async worker(extra = {}) {
      const started = startProcess({
        args: ['apps/worker/src/main.ts'],
        cwd: ROOT,
        env: {
          REDIS_URL: redis.url,
          WECHAT_APPS_FILE: file,
          WECHAT_API_BASE_URL: fake.url,
          WORKER_PORT: '0',
          STALLED_AFTER_MS: '3000',
          SEND_TIMEOUT_MS: '1000',
          RETRY_BACKOFF_MS: '20',
          ...env,
          ...extra,
        },
      })
      workers.push(started)
      await started.waitForLine(/"worker.started"/, 60_000)
      return started
    },
    async close() {
      await Promise.all([...outboxes.values()].map((outbox) => outbox.close()))
      await Promise.all(workers.map((worker) => worker.stop('SIGTERM', 5000)))
      client.disconnect()
      await fake.close()
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
  await fleet.writeApps(known)
  return fleet
}

/** Log lines of an event, parsed. */
export function logged(worker: StartedProcess, event: string): Record<string, unknown>[] {
  return worker
    .stdout()
    .split('\n')
    .filter((line) => line.includes(`"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
