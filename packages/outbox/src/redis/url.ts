/**
 * Reads `REDIS_URL`. A part that is passed over in silence sends a password in clear, or messages to another database; so
 * whatever is not understood is refused, by the name of the part. The value never stands in a message: any part of it may
 * be a password, or one that was mistyped.
 */
import { OutboxError } from '../errors.ts'

export interface Login {
  username?: string
  password?: string
  db?: number
  tls?: Record<string, never>
}
export interface Node extends Login {
  host: string
  port: number
}
export type Target =
  | { kind: 'single'; node: Node }
  | { kind: 'cluster'; nodes: Node[] }
  | { kind: 'sentinel'; sentinels: { host: string; port: number }[]; master: string; login: Login }

const SENTINEL_SCHEME = 'redis+sentinel://'
/** Query parameters that other clients understand, and how the same is said here. No other name is repeated: it may be a secret. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  db: 'the database is the path, redis://host:6379/5',
  database: 'the database is the path, redis://host:6379/5',
  tls: 'TLS is the scheme, rediss://',
  ssl: 'TLS is the scheme, rediss://',
  user: 'user and password stand before the host, redis://user:password@host',
  username: 'user and password stand before the host, redis://user:password@host',
  password: 'user and password stand before the host, redis://user:password@host',
}

/**
 * `redis://`, `rediss://`, several of them separated by commas for a Redis Cluster, or
 * `redis+sentinel://host:port,host:port/master-name`.
 * @throws OutboxError WXO_CONFIG, which names the part that cannot be meant
 */
export function parseRedisUrl(given: string): Target {
  const url = given.trim()
  refuseSocket(url)
  refuseRest(url)
  if (url.startsWith(SENTINEL_SCHEME)) return parseSentinel(url.slice(SENTINEL_SCHEME.length))
  const nodes = url.split(',').map((part) => parseNode(part.trim()))
  const [node] = nodes
  if (node === undefined) throw notAUrl()
  if (nodes.length === 1) return { kind: 'single', node }
  refuseMixed(node, nodes)
  return { kind: 'cluster', nodes }
}

function refuseSocket(url: string): void {
  if (/^(redis(s)?\+)?(unix|socket):|^redis-socket:|^\//i.test(url)) {
    throw refused('a unix socket is not supported: let Redis listen on the loopback, redis://127.0.0.1:6379')
  }
}

/** What follows the path. A `?` or `#` in a password has to be encoded, and would end up here otherwise. */
function refuseRest(url: string): void {
  const query = /\?([^#,]*)/.exec(url)
  if (query !== null) {
    const named = [...new URLSearchParams(query[1]).keys()].map((name) => name.toLowerCase())
    const known = named.filter((name) => Object.hasOwn(ELSEWHERE, name))
    const parts = known.map((name) => `\`${name}=\` is not understood: ${ELSEWHERE[name]}`)
    throw refused(parts.length > 0 ? parts.join('; ') : 'a query (`?…`) is not understood; in a password ? is %3F')
  }
  if (url.includes('#')) throw refused('a fragment (`#…`) is not understood; in a password # is %23')
}

/** A cluster's nodes are found from any of them, so one login and one scheme serve all. */
function refuseMixed(first: Node, nodes: readonly Node[]): void {
  const differs = (part: keyof Login): boolean =>
    nodes.some((node) => JSON.stringify(node[part]) !== JSON.stringify(first[part]))
  if (differs('tls')) throw refused('redis:// and rediss:// are mixed: all nodes of a cluster need the same scheme')
  if (differs('username')) throw refused('the users differ: all nodes of a cluster need the same user')
  if (differs('password')) throw refused('the passwords differ: all nodes of a cluster need the same password')
  if (nodes.some(({ db = 0 }) => db !== 0)) throw refused('a cluster has no database but 0')
}

function parseNode(text: string): Node {
  if (!URL.canParse(text)) throw notAUrl()
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw notAUrl()
  if (!/^\/?\d{0,9}$/.test(url.pathname)) throw notAUrl()
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

function refused(what: string): OutboxError {
  return new OutboxError('WXO_CONFIG', `the Redis URL cannot be used: ${what}`)
}

function notAUrl(): OutboxError {
  return new OutboxError(
    'WXO_CONFIG',
    'the Redis URL must be redis://host:port or rediss://host:port, several of them separated by commas for a cluster, ' +
      'or redis+sentinel://host:port,host:port/master-name',
  )
}
