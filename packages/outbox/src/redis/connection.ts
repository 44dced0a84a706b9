/**
 * Connections. Three kinds of use need three limits of time: a producer must fail at once and never repeat a command
 * by itself (a repeat without a key is a second message); a worker waits for Redis to come back, for ever; an operator's
 * command waits a little and then says so.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { OutboxError } from '../errors.ts'
import { batchWrites } from './batch-writes.ts'
import { connectionError, dropsWhereReadOnly, guardClient, type Peers, peersAt, peersOf } from './guard.ts'
import { type Node, parseRedisUrl, type Target } from './url.ts'

export type RedisClient = Redis | Cluster
/** Without the option that changes what answers look like, on which ioredis's own types insist. */
type Options = Omit<RedisOptions, 'replyMapping'>
export type ConnectionUse = 'produce' | 'work' | 'operate'

/** How long anything but a worker waits for Redis, in ms. Together with one command it stays under two seconds. */
export const CONNECT_WAIT_MS = 1000
export const COMMAND_WAIT_MS = 1800

const RECONNECT_MS_MAX = 2000
/** During a failover: what workers know has to be recorded before anybody takes their messages over. */
const RECONNECT_AT_REPLICA_MS_MAX = 250
const retryAfter =
  (peers: Peers) =>
  (times: number): number =>
    Math.min(50 * 2 ** Math.min(times, 10), peers.meetReplica ? RECONNECT_AT_REPLICA_MS_MAX : RECONNECT_MS_MAX)

const patience: Record<ConnectionUse, Options> = {
  produce: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: CONNECT_WAIT_MS,
    // A connection that is open but silent is given up, or every later call would wait behind it.
    socketTimeout: COMMAND_WAIT_MS,
  },
  // Longer than any command that waits for work, shorter than a watchdog's patience. What had no answer is asked again.
  work: { maxRetriesPerRequest: null, connectTimeout: 5000, socketTimeout: 15_000 },
  operate: { maxRetriesPerRequest: 1, connectTimeout: CONNECT_WAIT_MS, socketTimeout: 10_000 },
}

/**
 * Opens a connection. `url` is what `REDIS_URL` holds: `redis://`, `rediss://`, several of them separated by commas for a
 * Redis Cluster, or `redis+sentinel://host:port,host:port/master-name`.
 * @throws OutboxError WXO_CONFIG when it is none of these; the message never holds the URL, which may hold a password
 */
export function connectRedis(url: string, use: ConnectionUse): RedisClient {
  const target = parseRedisUrl(url)
  const peers = peersAt(url)
  const client = openClient(target, {
    ...patience[use],
    retryStrategy: retryAfter(peers),
    reconnectOnError: dropsWhereReadOnly(peers),
    keepAlive: 10_000,
    disconnectTimeout: 200,
    // A Redis that is loading says how long it will take, and is ready sooner.
    maxLoadingRetryTime: RECONNECT_MS_MAX,
  })
  guardClient(client, peers)
  // Each call that waits for Redis listens, and each app's workers do: many are no leak, and Node need not warn of one.
  // Not 0, which to Node means no limit: BullMQ adds its listeners to the limit it finds, and would make it three.
  client.setMaxListeners(Number.POSITIVE_INFINITY)
  if (use === 'work') batchWrites(client)
  return client
}

/** Another connection to the same server, or cluster, for commands that would hold up the first one. */
export function duplicateClient<Client extends RedisClient>(client: Client, options: Options): Client {
  const duplicate: RedisClient =
    client instanceof Cluster ? client.duplicate([], { redisOptions: options }) : client.duplicate(options)
  guardClient(duplicate, peersOf(client))
  return duplicate as Client
}

function openClient(target: Target, options: Options): RedisClient {
  switch (target.kind) {
    case 'single':
      return new Redis({ ...options, ...target.node })
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: target.sentinels,
        name: target.master,
        // A failover that somebody has planned leaves the connections to the old primary as they are, for seconds.
        failoverDetector: true,
        ...target.login,
      })
    case 'cluster':
      return new Cluster(
        target.nodes.map(({ host, port }) => ({ host, port })),
        clusterOptions(options, target.nodes[0]),
      )
  }
}

function clusterOptions(options: Options, node: Node | undefined) {
  const { host: _host, port: _port, ...login } = node ?? { host: '', port: 0 }
  const { retryStrategy: clusterRetryStrategy, enableOfflineQueue = true, ...rest } = options
  return {
    redisOptions: { ...rest, ...login },
    enableOfflineQueue,
    ...(clusterRetryStrategy ? { clusterRetryStrategy: (times: number) => clusterRetryStrategy(times) ?? null } : {}),
  } satisfies ClusterOptions
}

/**
 * Waits until a client can take commands; without `waitMs` for as long as that may still happen.
 * @throws OutboxError WXO_UNAVAILABLE after `waitMs`, WXO_CONFIG at once where waiting cannot help, WXO_CLOSED
 */
export async function whenReady(client: RedisClient, waitMs?: number): Promise<void> {
  if (client.status === 'ready') return
  if (client.status === 'end') throw new OutboxError('WXO_CLOSED', 'the connection to Redis has been closed')
  await new Promise<void>((resolve, reject) => {
    const end = (error?: OutboxError): void => {
      clearTimeout(timer)
      client.off('ready', end)
      client.off('error', onError)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onError = (): void => {
      const error = connectionError(client)
      if (error.code === 'WXO_CONFIG') end(error)
    }
    const timer = waitMs === undefined ? undefined : setTimeout(() => end(connectionError(client)), waitMs)
    client.on('ready', end)
    client.on('error', onError)
    // What was said before stands until a connection is ready.
    onError()
  })
}
