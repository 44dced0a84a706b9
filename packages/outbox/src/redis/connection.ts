/**
 * Connections. Three kinds of use need three kinds of patience: a producer must fail at once and never repeat a command
 * by itself (a repeat without a key is a second message); a worker waits for Redis to come back, for ever; an operator's
 * command waits a little and then says so.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { OutboxError } from '../errors.ts'
import { within } from '../within.ts'
import { batchWrites } from './batch-writes.ts'

export type RedisClient = Redis | Cluster
/** Without the option that changes what answers look like, on which ioredis's own types insist. */
type Options = Omit<RedisOptions, 'replyMapping'>
export type ConnectionUse = 'produce' | 'work' | 'operate'

/** How long anything but a worker waits for Redis, in ms. Together with one command it stays under two seconds. */
export const CONNECT_WAIT_MS = 1000
export const COMMAND_WAIT_MS = 1800
const PING_MS_MAX = 1000

const RECONNECT_MS_MAX = 2000
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX)

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
  const client = openClient(parseRedisUrl(url), {
    ...patience[use],
    retryStrategy,
    keepAlive: 10_000,
    disconnectTimeout: 200,
  })
  // Each call that waits for Redis listens, and each app's workers do: many are no leak, and Node need not warn of one.
  // Not 0, Node's own word for no limit: BullMQ adds its listeners to the limit it finds, and would make it three.
  client.setMaxListeners(Number.POSITIVE_INFINITY)
  if (use === 'work') batchWrites(client)
  return client
}

function openClient(target: Target, options: Options): RedisClient {
  switch (target.kind) {
    case 'single':
      return new Redis({ ...options, ...target.node })
    case 'sentinel':
      return new Redis({ ...options, sentinels: target.sentinels, name: target.master, ...target.login })
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

interface Login {
  username?: string
  password?: string
  db?: number
  tls?: Record<string, never>
}
interface Node extends Login {
  host: string
  port: number
}
type Target =
  | { kind: 'single'; node: Node }
  | { kind: 'cluster'; nodes: Node[] }
  | { kind: 'sentinel'; sentinels: { host: string; port: number }[]; master: string; login: Login }

/** Reads `REDIS_URL`. @throws OutboxError WXO_CONFIG */
export function parseRedisUrl(url: string): Target {
  if (url.startsWith('redis+sentinel://')) return parseSentinel(url.slice('redis+sentinel://'.length))
  const nodes = url.split(',').map((part) => parseNode(part.trim()))
  const [node] = nodes
  if (node === undefined) throw notAUrl()
  return nodes.length === 1 ? { kind: 'single', node } : { kind: 'cluster', nodes }
}

function parseNode(text: string): Node {
  if (!URL.canParse(text)) throw notAUrl()
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw notAUrl()
  if (!/^\/?\d*$/.test(url.pathname)) throw notAUrl()
  return {
    host: url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    ...loginOf(url),
    ...(url.pathname.length > 1 ? { db: Number(url.pathname.slice(1)) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}

/** Node's URL takes no list of hosts, so the hosts are cut out and the rest is parsed with one of them. */
function parseSentinel(rest: string): Target {
  const [, login = '', hosts = '', master = ''] = /^([^@/]*@)?([^/@]+)\/([\w.-]+)$/.exec(rest) ?? []
  if (master === '') throw notAUrl()
  const sentinels = hosts.split(',').map((host) => {
    const { host: name, port } = parseNode(`redis://${/:\d+$/.test(host) ? host : `${host}:26379`}`)
    return { host: name, port }
  })
  const withLogin = `redis://${login}sentinel`
  if (!URL.canParse(withLogin) || new URL(withLogin).hostname !== 'sentinel') throw notAUrl()
  return { kind: 'sentinel', sentinels, master, login: loginOf(new URL(withLogin)) }
}

function loginOf(url: URL): Login {
  return {
    ...(url.username === '' ? {} : { username: decoded(url.username) }),
    ...(url.password === '' ? {} : { password: decoded(url.password) }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw notAUrl()
  }
}

function notAUrl(): OutboxError {
  return new OutboxError(
    'WXO_CONFIG',
    'the Redis URL must be redis://host:port or rediss://host:port, several of them separated by commas for a cluster, ' +
      'or redis+sentinel://host:port,host:port/master-name',
  )
}

/** Waits until a client can take commands. @throws OutboxError WXO_UNAVAILABLE after `waitMs` */
export async function whenReady(client: RedisClient, waitMs: number): Promise<void> {
  if (client.status === 'ready') return
  await new Promise<void>((resolve, reject) => {
    const onReady = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      client.off('ready', onReady)
      reject(new OutboxError('WXO_UNAVAILABLE', 'Redis is not available'))
    }, waitMs)
    client.once('ready', onReady)
  })
}

/** Whether Redis answers a PING within a second: a client that waits for Redis for ever keeps a PING as long. Never throws. */
export async function answersInTime(client: RedisClient): Promise<boolean> {
  if (client.status !== 'ready') return false
  const answered = client.ping().then(
    () => true,
    () => false,
  )
  return within(answered, PING_MS_MAX, false)
}
