// Two hundred apps in one worker, five of them busy. What the others cost is printed; docs/many-apps.md quotes it.
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { type Fleet, fleetApps, startFleet } from './e2e/support/fleet.ts'
import { text } from './e2e/support/system.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.close()
  fleet = undefined
})

const SETTLED_MS = 20_000
const MEASURED_MS = 60_000

interface Figures {
  readonly commands: number
  readonly redisCpuS: number
  readonly workerCpuS: number
  readonly connections: number
  readonly rssMb: number
}

async function read({ client }: Fleet, pid: number): Promise<Figures> {
  const info = await client.info()
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  const ticks = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  const rss = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return {
    commands: field('total_commands_processed'),
    redisCpuS: field('used_cpu_user') + field('used_cpu_sys'),
    workerCpuS: (Number(ticks[11]) + Number(ticks[12])) / 100,
    // This test has one itself.
    connections: field('connected_clients') - 1,
    rssMb: Number(rss) / 1024,
  }
}

/** A minute of doing nothing, after all has settled. */
async function idle(at: Fleet, pid: number): Promise<Record<string, number>> {
  await sleep(SETTLED_MS)
  const before = await read(at, pid)
  await sleep(MEASURED_MS)
  const after = await read(at, pid)
  const percent = (seconds: number): number => Math.round((seconds / MEASURED_MS) * 1e7) / 100
  return {
    connections: after.connections,
    rssMb: Math.round(after.rssMb),
    commandsPerMinute: after.commands - before.commands,
    workerCpuPercent: percent(after.workerCpuS - before.workerCpuS),
    redisCpuPercent: percent(after.redisCpuS - before.redisCpuS),
  }
}

it('serves two hundred apps, and those that are idle cost next to nothing', async () => {
  const apps = fleetApps(200)
  const now = await startFleet(apps, { STALLED_AFTER_MS: '10000', SEND_TIMEOUT_MS: '5000' })
  fleet = now
  await now.writeApps(apps.slice(0, 1))
  const small = await now.worker()
  const one = await idle(now, small.pid)
  await small.stop()
  await now.writeApps(apps)
  const worker = await now.worker()
  const all = await idle(now, worker.pid)
  console.log('one app idle  ', one)
  console.log('200 apps idle ', all)
  expect(all['connections']).toBeLessThanOrEqual(5)
  expect(all['commandsPerMinute']).toBeLessThan(200 * 150)

  const busy = apps.slice(0, 5)
  const outboxes = busy.map(({ appid }) => now.outbox(appid))
  const load = outboxes.map(async (outbox) => {
    for (let round = 0; round < 20; round += 1) {
      await outbox.sendMany(Array.from({ length: 100 }, (_, at) => text(`o-${round}-${at}`, `busy ${round} ${at}`)))
      await sleep(100)
    }
  })
  // Each of the idle ones once, while the busy ones are. From one producer: two hundred are not what this is about.
  const sentOnce = await now
    .outbox(apps[0]?.appid ?? '')
    .sendMany(apps.map(({ appid }) => ({ appid, ...text('o-idle', 'once') })))
  expect(sentOnce.filter((result) => 'id' in result)).toHaveLength(200)
  await Promise.all(load)
  await vi.waitFor(() => expect(now.fake.ledger.acceptedCount()).toBe(5 * 2000 + 200), 120_000)
  expect(now.fake.ledger.summary().doubles).toBe(0)
  const once = now.fake.ledger.accepted().filter(({ rawBody }) => rawBody.includes('once'))
  expect(new Set(once.map(({ appid }) => appid)).size).toBe(200)
})
