/** A primary with two replicas, and three Sentinels that watch them. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { askRedis, type LocalRedis } from '@wechat-outbox/sandbox'
import { startServer, type Topology, until } from './topology.ts'

const MASTER = 'wxo'
const SENTINELS = 3
const REPLICAS = 2
/** After so long a silence a Sentinel takes the primary for dead, and two of three have to agree. */
const DOWN_AFTER_MS = 2000

export interface SentinelTopology extends Topology {
  primary(): Promise<LocalRedis>
  /** Resolves when the Sentinels name another primary than this one. */
  failedOver(from: LocalRedis): Promise<void>
  /** A planned failover, as docs/redis.md tells: with a primary that refuses every write from then on. */
  failover(): Promise<void>
}

/** `args`: for all of its servers. */
export async function startSentinels(dir: string, args: readonly string[] = []): Promise<SentinelTopology> {
  const first = await startServer({ dir: join(dir, 'server-0'), args })
  const replicaOf = ['--replicaof', `127.0.0.1 ${first.port}`]
  const replicas = await Promise.all(
    Array.from({ length: REPLICAS }, (_, n) =>
      startServer({ dir: join(dir, `server-${n + 1}`), args: [...args, ...replicaOf] }),
    ),
  )
  const servers = [first, ...replicas]
  await until('replication', async () =>
    (await askRedis(first.port, 'INFO replication')).includes(`connected_slaves:${REPLICAS}\r`),
  )
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, (_, n) => startSentinel(join(dir, `sentinel-${n}`), first.port)),
  )
  const [asked] = sentinels as [LocalRedis, ...LocalRedis[]]
  const about = async (name: string): Promise<string> => {
    const info = await askRedis(asked.port, 'INFO sentinel')
    return new RegExp(`^master0:.*\\b${name}=([^,\\s]+)`, 'm').exec(info)?.[1] ?? ''
  }
  await until(
    'the Sentinels know each other and all replicas',
    async () => (await about('sentinels')) === String(SENTINELS) && (await about('slaves')) === String(REPLICAS),
  )
  const primary = async (): Promise<LocalRedis> => {
    const address = await about('address')
    const found = servers.find(({ port }) => address.endsWith(`:${port}`))
    if (found === undefined) throw new Error(`the Sentinels name ${address}`)
    return found
  }
  const url = `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`
  return {
    url,
    lookUrl: url,
    primary,
    failedOver: (from) => until('the failover', async () => (await primary()) !== from),
    async failover() {
      await askRedis((await primary()).port, `CONFIG SET min-replicas-to-write ${REPLICAS + 1}`)
      const reply = await askRedis(asked.port, `SENTINEL FAILOVER ${MASTER}`)
      if (reply !== '+OK') throw new Error(`no failover: ${reply}`)
    },
    async close() {
      await Promise.all([...sentinels, ...servers].map((server) => server.stop()))
    },
  }
}

async function startSentinel(dir: string, primaryPort: number): Promise<LocalRedis> {
  await mkdir(dir, { recursive: true })
  const configFile = join(dir, 'sentinel.conf')
  const settings = [
    `sentinel monitor ${MASTER} 127.0.0.1 ${primaryPort} 2`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER} 6000`,
  ]
  await writeFile(configFile, `${settings.join('\n')}\n`)
  return startServer({ dir, configFile, args: ['--sentinel'] })
}
