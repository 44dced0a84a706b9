/** A Redis Cluster of three masters and three replicas. */
import { join } from 'node:path'
import { appPrefix, connectRedis, type RedisClient, whenReady } from '@wechat-outbox/outbox/engine'
import { freeLoopbackPort, type LocalRedis } from '@wechat-outbox/sandbox'
import { APP } from '../../chaos/support/cast.ts'
import { startServer, type Topology, until } from './topology.ts'

const MASTERS = 3
const SLOTS = 16_384
const NODE_TIMEOUT_MS = 2000

export interface ClusterTopology extends Topology {
  /** The server whose slot the app is in. */
  ownerOfApp(): Promise<LocalRedis>
  failedOver(from: LocalRedis): Promise<void>
  /** Starts a killed server again, as its supervisor would: it becomes a replica of the one that has taken over. */
  startAgain(server: LocalRedis): Promise<void>
  /** Moves the app's slot to another master, key by key, as operators do. */
  moveAppSlot(): Promise<void>
}

interface Node {
  readonly server: LocalRedis
  readonly busPort: number
  readonly client: RedisClient
  readonly id: string
}

export async function startCluster(dir: string, args: readonly string[] = []): Promise<ClusterTopology> {
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, (_, n) => startNode(join(dir, `node-${n}`), args)),
  )
  const [first] = nodes as [Node, ...Node[]]
  const share = Math.ceil(SLOTS / MASTERS)
  const masters = nodes.slice(0, MASTERS)
  for (const [n, { client }] of masters.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', n * share, Math.min(SLOTS, (n + 1) * share) - 1)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)
  }
  for (const { server, busPort } of nodes.slice(1)) {
    await first.client.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
  }
  const info = async ({ client }: Node): Promise<string> => String(await client.call('CLUSTER', 'INFO'))
  await until('all nodes know each other', async () =>
    (await Promise.all(nodes.map(info))).every((text) => text.includes(`cluster_known_nodes:${nodes.length}\r`)),
  )
  for (const [n, { client }] of nodes.slice(MASTERS).entries()) {
    await client.call('CLUSTER', 'REPLICATE', masters[n]?.id ?? '')
  }
  await until('the cluster is complete', async () =>
    (await Promise.all(nodes.map(info))).every((text) => text.includes('cluster_state:ok')),
  )
  await until('replication', async () =>
    (await Promise.all(masters.map(({ client }) => client.info('replication')))).every((text) =>
      text.includes('connected_slaves:1\r'),
    ),
  )
  const url = nodes.map(({ server }) => server.url).join(',')
  const slot = Number(await first.client.call('CLUSTER', 'KEYSLOT', appPrefix(APP)))
  const owner = async (): Promise<Node> => {
    const ranges = (await askAny(nodes, 'SLOTS')) as [number, number, [string, number]][]
    const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
    const found = nodes.find(({ server }) => server.port === port)
    if (found === undefined) throw new Error('nobody has the slot')
    return found
  }
  return {
    url,
    lookUrl: url,
    ownerOfApp: async () => (await owner()).server,
    async startAgain({ dir: folder, port }) {
      const at = nodes.findIndex(({ server }) => server.port === port)
      const node = nodes[at] as Node
      nodes[at] = { ...node, server: await startClusterServer(folder, args, { port, busPort: node.busPort }) }
    },
    failedOver: (from) => until('the failover', async () => (await owner()).server !== from),
    async moveAppSlot() {
      const from = await owner()
      const to = masters.find((node) => node !== from) as Node
      await moveSlot(slot, from, to)
      const others = masters.filter((node) => node !== from && node !== to)
      for (const { client } of [to, from, ...others]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    },
    async close() {
      for (const { client } of nodes) client.disconnect()
      await Promise.all(nodes.map(({ server }) => server.stop()))
    },
  }
}

async function startNode(dir: string, args: readonly string[]): Promise<Node> {
  // The usual one, 10,000 above, may not exist.
  const busPort = await freeLoopbackPort()
  const server = await startClusterServer(dir, args, { port: 0, busPort })
  const client = connectRedis(server.url, 'operate')
  client.on('error', () => undefined)
  await whenReady(client, 10_000)
  return { server, busPort, client, id: String(await client.call('CLUSTER', 'MYID')) }
}

function startClusterServer(
  dir: string,
  args: readonly string[],
  { port, busPort }: { readonly port: number; readonly busPort: number },
): Promise<LocalRedis> {
  return startServer({
    dir,
    port,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-announce-ip', '127.0.0.1'],
      ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--cluster-replica-validity-factor', '0'],
      ...args,
    ],
  })
}

/** Of the first node that answers: one may be dead. */
async function askAny(nodes: readonly Node[], question: string): Promise<unknown> {
  const asked = nodes.map(async ({ client }) => client.call('CLUSTER', question))
  return Promise.any(asked)
}

async function moveSlot(slot: number, from: Node, to: Node): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  for (;;) {
    const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_ONCE)) as string[]
    if (keys.length === 0) return
    await from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys)
  }
}

const KEYS_AT_ONCE = 100
