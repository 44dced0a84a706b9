// A cluster that moves the slot of an app refuses single commands, and the client repeats each when it sees fit. The order of
// the calls is kept all the same. And each of its masters has a memory limit of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freeLoopbackPort, startLocalRedis } from '@wechat-outbox/sandbox'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { Outbox } from '../../src/producer/outbox.ts'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { readMemory } from '../../src/redis/health.ts'
import { APP, keys, text } from '../support/world.ts'

const WAIT = { timeout: 20_000, interval: 20 }
const LAST_SLOT = 16_383

type Node = Awaited<ReturnType<typeof startNode>>
let cluster: { from: Node; to: Node; slot: number }
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  cluster = await startCluster()
}, 60_000)
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
})

async function startNode(dir: string) {
  const busPort = await freeLoopbackPort()
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(busPort)]
  const server = await startLocalRedis({ dir, args })
  const client = new Redis(server.url)
  closing.push(async () => {
    client.disconnect()
    await server.stop()
  })
  return { server, busPort, client, id: String(await client.call('CLUSTER', 'MYID')) }
}

/** Two masters, one of which has all slots. */
async function startCluster() {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-slots-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const from = await startNode(join(dir, 'from'))
  const to = await startNode(join(dir, 'to'))
  await from.client.call('CLUSTER', 'ADDSLOTSRANGE', 0, LAST_SLOT)
  await from.client.call('CLUSTER', 'MEET', '127.0.0.1', to.server.port, to.busPort)
  for (const { client } of [from, to]) {
    const info = async () => String(await client.call('CLUSTER', 'INFO'))
    await vi.waitFor(async () => expect(await info()).toMatch(/state:ok[^]*known_nodes:2/), WAIT)
  }
  const slot = Number(await from.client.call('CLUSTER', 'KEYSLOT', keys.sendJobs))
  return { from, to, slot }
}

it('what is sent while a slot moves is stored before what is sent when it has moved', async () => {
  const { from, to, slot } = cluster
  const outbox = new Outbox({ redis: `${from.server.url},${to.server.url}`, appid: APP })
  onTestFinished(() => outbox.close())
  const ids = [(await outbox.send(text('o-moves'))).id]
  const migrate = async (count: number): Promise<void> => {
    const some = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, count)) as string[]
    await from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...some)
  }
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  await migrate(1)
  const first = outbox.send(text('o-moves'))
  // Some of its keys are here and some there: it is told to try again.
  await vi.waitFor(async () => expect(await from.client.info('errorstats')).toContain('TRYAGAIN'), WAIT)
  await migrate(1000)
  for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
  const rest = await Promise.all([first, ...Array.from({ length: 5 }, () => outbox.send(text('o-moves')))])
  ids.push(...rest.map(({ id }) => id))
  expect(await to.client.lrange(keys.lane('o-moves'), 0, -1)).toEqual(ids)
}, 60_000)

// After the move each of the two has slots; a master without any is not asked.
it('is as full as the master that is nearest to its limit', async () => {
  const { from, to } = cluster
  const client = connectRedis(`${from.server.url},${to.server.url}`, 'operate')
  onTestFinished(() => client.disconnect())
  await whenReady(client, 5000)
  const limits = new Map([
    [from, 3 * 2 ** 30],
    [to, 2 ** 30],
  ])
  for (const [{ client: node }, limit] of limits) await node.config('SET', 'maxmemory', limit)
  expect((await readMemory(client)).maxMemoryBytes).toBe(2 ** 30)
  // One without a limit is not near it.
  await to.client.config('SET', 'maxmemory', 0)
  expect((await readMemory(client)).maxMemoryBytes).toBe(3 * 2 ** 30)
})
