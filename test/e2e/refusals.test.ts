// Redis answers with errors while real workers have calls open to WeChat: whatever WeChat has said is recorded when Redis
// writes again, and the processes say meanwhile that they cannot.
import { appPrefix, connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import type { StartedProcess } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { logged } from './support/fleet.ts'
import { APP, type System, startSystem, text } from './support/system.ts'

let system: System
let redis: RedisClient
beforeEach(async () => {
  system = await startSystem({ workers: 2, env: { WORKER_CONCURRENCY: '5' } })
  redis = connectRedis(system.redis.url, 'operate')
})
afterEach(async () => {
  redis.disconnect()
  await system.close()
})

const until = (check: () => unknown, timeout = 30_000): Promise<unknown> => vi.waitFor(check, { timeout, interval: 50 })

async function ready(worker: StartedProcess): Promise<number> {
  const [, url = ''] = await worker.waitForLine(/"url":"(http[^"]+)"/)
  return (await fetch(`${url}/readyz`)).status
}

/** What is refused is asked again; a replica's connection is dropped, and what is asked waits for the primary. */
const REFUSALS: readonly [string, RegExp, () => Promise<unknown>, () => Promise<unknown>][] = [
  [
    'NOREPLICAS',
    /"settlement.refused"/,
    () => redis.config('SET', 'min-replicas-to-write', '1'),
    () => redis.config('SET', 'min-replicas-to-write', '0'),
  ],
  [
    'READONLY',
    /"redis.error".*is a replica/,
    () => redis.call('REPLICAOF', '127.0.0.1', '1'),
    () => redis.call('REPLICAOF', 'NO', 'ONE'),
  ],
]

describe('a Redis that refuses to write while ten calls are open', () => {
  it.each(REFUSALS)(
    'with %s makes no double and no dead letter',
    async (error, told, refuse, write) => {
      await system.fake.fault({ fault: { name: 'latency', minMs: 600, maxMs: 700 } })
      const contents = Array.from({ length: 40 }, (_, n) => `refused<${n}>`)
      const results = await system.outbox.sendMany(
        contents.map((content, n) => ({
          ...text(`o-${n % 20}`, content),
          ...(n % 2 === 0 ? {} : { ifUnsure: 'dead-letter' as const }),
        })),
      )
      const ids = results.flatMap((result) => ('id' in result ? [result.id] : []))
      await until(async () => expect((await system.fake.sends()).length).toBeGreaterThanOrEqual(5))
      await refuse()
      for (const worker of system.workers) {
        await worker.waitForLine(told)
        expect(await ready(worker)).toBe(503)
      }
      await write()
      await system.fake.clearFaults()
      await until(async () => {
        const statuses = await Promise.all(ids.map(async (id) => (await system.outbox.status(id))?.status))
        expect(statuses).toEqual(contents.map(() => 'delivered'))
      })
      const sends = await system.fake.sends()
      expect(sends).toHaveLength(contents.length)
      expect(new Set(sends.map(({ rawBody }) => rawBody)).size).toBe(contents.length)
      for (const worker of system.workers) {
        if (error === 'NOREPLICAS') await worker.waitForLine(/"settlement.recorded"/)
        await until(async () => expect(await ready(worker)).toBe(200))
        const refused = logged(worker, 'settlement.refused')
        expect(refused.length).toBeLessThanOrEqual(2)
        for (const one of refused)
          expect(one).toMatchObject({ error: expect.stringContaining(error), pending: expect.any(Number) })
        expect(logged(worker, 'settlement.recorded').length).toBeLessThanOrEqual(2)
        // No storm: a line for a call, one for each look that was refused, and little else.
        expect(logged(worker, 'worker.problem').length).toBeLessThan(40)
        expect([logged(worker, 'message.dead'), worker.stdout()]).toEqual([
          [],
          expect.not.stringContaining('the worker ended'),
        ])
      }
    },
    120_000,
  )
})

it('a settlement that is refused by itself takes its worker out of service until it is recorded', async () => {
  await system.fake.fault({ fault: { name: 'latency', minMs: 600, maxMs: 700 } })
  const { id } = await system.outbox.send(text('o-spoilt', 'once'))
  await until(async () => expect(await system.fake.sends()).toHaveLength(1))
  const lane = `${appPrefix(APP)}:lane:o-spoilt`
  await redis.multi().del(lane).set(lane, 'of another program').exec()
  await until(async () => expect(await Promise.all(system.workers.map(ready))).toContain(503))
  await redis.del(lane)
  await until(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'))
  await until(async () => expect(await Promise.all(system.workers.map(ready))).toEqual([200, 200]))
  expect(await system.fake.sends()).toHaveLength(1)
})
