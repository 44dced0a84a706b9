/**
 * A Redis Cluster of three masters and twelve apps: it works, and each app's load lies on one shard. All three shards are on this
 * machine, so the rate says nothing about three machines; where the work went does.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { appPrefix, connectRedis, type RedisClient } from '@wechat-outbox/outbox/engine'
import { freeLoopbackPort, type LocalRedis } from '@wechat-outbox/sandbox'
import { type Measurement, pick } from '../measurement.ts'
import { messagesIn } from '../messages.ts'
import { stretchOf } from '../meter.ts'
import { alone, type Row } from '../row.ts'
import { openOutbox, sendAll, startWorker } from '../sides.ts'
import { marksOf } from '../turn.ts'
import type { World } from '../world.ts'

const NAME = 'cluster'
const MASTERS = 3
const SLOTS = 16_384
const APPS = Array.from({ length: 12 }, (_, at) => `wx${String(at + 1).padStart(16, '0')}`)

export const cluster: Measurement = {
  name: NAME,
  rows: [NAME, ...Array.from({ length: MASTERS }, (_, at) => `${NAME}/shard-${at + 1}`)],
  async run(world, size) {
    const each = pick(size, 2000, 50)
    const count = each * APPS.length
    const far = await world.far()
    const masters = await startCluster(world)
    const url = masters.map((master) => master.url).join(',')
    const slots = await Promise.all(APPS.map((appid) => slotOf(masters[0] as LocalRedis, appid)))
    await Promise.all(APPS.map((appid, at) => fillApp(url, appid, { from: at * each, count: each })))
    const file = join(await world.folder(), 'apps.json')
    await writeFile(file, JSON.stringify(APPS.map((appid) => ({ appid, secret: 'a-secret-of-the-bench' }))))
    await far.plan({ marksAt: marksOf(count) })
    const redis = { ...(masters[0] as LocalRedis), url }
    const env = { WECHAT_APP_ID: '', WECHAT_APP_SECRET: '', WECHAT_APPS_FILE: file }
    const worker = startWorker(world, 'outbox', { redis, far, env })
    await far.watch(masters.map(({ pid }) => pid))
    const { marks, disordered, doubled } = await far.done()
    await worker.stop()
    const stretch = stretchOf(marks, 0, 1)
    size.progress(`${NAME} ${Math.round(stretch.perSecond)}/s`)
    const what = `A Redis Cluster of ${MASTERS} masters, ${APPS.length} apps with ${each.toLocaleString('en')} messages each, one worker process`
    const note = `all delivered, ${disordered} out of order, ${doubled} twice`
    const shards = masters.map(({ pid }, at): Row => {
      const apps = slots.filter((slot) => shardOf(slot) === at).length
      const name = `${NAME}/shard-${at + 1}`
      return alone({ name, what: `… shard ${at + 1}, home of ${apps} apps: CPU per message of all`, unit: 'µs' }, [
        stretch.cpuUs(pid),
      ])
    })
    return [alone({ name: NAME, what, unit: 'messages/s', note }, [stretch.perSecond]), ...shards]
  },
}

const firstSlot = (shard: number): number => Math.floor((SLOTS * shard) / MASTERS)
const shardOf = (slot: number): number => Math.min(MASTERS - 1, Math.floor((slot * MASTERS) / SLOTS))

async function slotOf(master: LocalRedis, appid: string): Promise<number> {
  return ask(master, async (client) => Number(await client.call('CLUSTER', 'KEYSLOT', appPrefix(appid))))
}

async function ask<T>(master: LocalRedis, question: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connectRedis(master.url, 'operate')
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}

/** What `redis-cli --cluster create` does, in Redis's own commands: a third of the slots for each, and an introduction. */
async function startCluster(world: World): Promise<LocalRedis[]> {
  const masters: LocalRedis[] = []
  for (let shard = 0; shard < MASTERS; shard += 1) {
    const busPort = await freeLoopbackPort()
    const args = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '5000']
    const master = await world.redis(args)
    masters.push(master)
    await ask(master, async (client) => {
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(firstSlot(shard)), String(firstSlot(shard + 1) - 1))
      // Epochs of their own, or two of them would have to agree on who was first.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(shard + 1))
    })
    await ask(masters[0] as LocalRedis, async (client) => {
      if (shard > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(master.port), String(busPort))
    })
  }
  for (const master of masters) await ask(master, whenWhole)
  return masters
}

async function whenWhole(client: RedisClient): Promise<void> {
  const until = performance.now() + 30_000
  while (performance.now() < until) {
    const info = String(await client.call('CLUSTER', 'INFO'))
    if (/cluster_state:ok/.test(info) && info.includes(`cluster_known_nodes:${MASTERS}`)) return
    await sleep(50)
  }
  throw new Error('the cluster did not come together')
}

async function fillApp(url: string, appid: string, range: { from: number; count: number }): Promise<void> {
  const outbox = await openOutbox(url, appid)
  for (const chunk of messagesIn({ kind: 'distinct' }, range, 1000)) await sendAll(outbox, chunk)
  await outbox.close()
}
