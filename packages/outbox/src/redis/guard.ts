/**
 * What a connection must never do in silence: serve a server that cannot keep messages. After a failover whose address stays
 * the same, the old primary goes on answering as a replica; a database that cannot be selected leaves a client on
 * database 0; a Redis that is too old fails later, in the middle of a script. So a connection to any of these never
 * becomes ready, one that turns out to be of that kind is dropped, and with it all of the process's to the same address:
 * only some of them write, and would notice.
 */
import { Cluster, type Redis } from 'ioredis'
import { OutboxError } from '../errors.ts'
import type { RedisClient } from './connection.ts'
import { isTooOld, TOO_OLD } from './health.ts'
import { answerInfo } from './server-info.ts'

/** How the clients to one address learn that it belongs to another server now. */
export interface Peers {
  readonly clients: Set<Redis>
  droppedAt: number
  /** The last server that answered was a replica: a failover is under way. */
  meetReplica: boolean
}

/** A server that takes no writes any more, alone or as the reason why a script failed, and one that has just become a replica. */
const NOT_PRIMARY = /\bREADONLY\b|^UNBLOCKED force unblock|^MASTERDOWN\b/
/** Where the address still leads to the replica, connecting anew more often finds the primary no sooner. */
const DROP_EVERY_MS = 500

const lastErrors = new WeakMap<RedisClient, unknown>()
const peersByUrl = new Map<string, Peers>()
const peersByClient = new WeakMap<RedisClient, Peers>()

const noPeers = (): Peers => ({ clients: new Set(), droppedAt: Number.NEGATIVE_INFINITY, meetReplica: false })

/** The clients of this process that were made for the same URL. */
export function peersAt(url: string): Peers {
  const peers = peersByUrl.get(url) ?? noPeers()
  peersByUrl.set(url, peers)
  return peers
}

export function peersOf(client: RedisClient): Peers {
  return peersByClient.get(client) ?? noPeers()
}

/** The option `reconnectOnError` of a client: on these answers it drops its connection, and its peers drop theirs. */
export function dropsWhereReadOnly(peers: Peers): (error: Error) => boolean {
  return ({ message }) => NOT_PRIMARY.test(message) && drop(peers)
}

function drop(peers: Peers): boolean {
  const now = performance.now()
  if (now - peers.droppedAt < DROP_EVERY_MS) return false
  peers.droppedAt = now
  for (const client of peers.clients) if (client.status === 'ready') client.disconnect(true)
  return true
}

/** Watches a client from its making on. Its errors have a listener then; whoever wants to report them adds another. */
export function guardClient(client: RedisClient, peers: Peers): void {
  client.on('error', (error: unknown) => lastErrors.set(client, error))
  client.on('ready', () => lastErrors.delete(client))
  answerInfo(client)
  endWhileWaiting(client)
  // A node of a cluster that is no primary any more says which one is.
  if (client instanceof Cluster) return void client.on('+node', answerInfo)
  client.on('error', (error: unknown) => {
    // The client would go on with database 0.
    if (isOfSelect(error)) client.disconnect(true)
  })
  checkServer(client, peers)
  hearNoMore(client)
  peersByClient.set(client, peers)
  peers.clients.add(client)
  client.on('end', () => {
    peers.clients.delete(client)
    // After QUIT its connections to Sentinels would stay, and keep the process.
    client.disconnect()
  })
}

interface Internals {
  status: string
  prevCommandQueue?: { shift(): { command: { reject(error: Error): void } } | undefined } | null
}

/**
 * A client that waits to connect again has no connection whose end would end it: told to disconnect, ioredis gives up the next
 * attempt and leaves the client, and all that was asked of it, as they are, for ever. One that has not tried yet does end.
 */
function endWhileWaiting(client: RedisClient): void {
  const internals = client as unknown as Internals
  const disconnect = client.disconnect.bind(client)
  client.disconnect = (reconnect = false) => {
    if (!reconnect && client.status === 'reconnecting') internals.status = 'wait'
    disconnect(reconnect)
  }
  client.on('end', () => {
    // What was asked of a connection before the last one, which ioredis asks again once one is ready.
    const asked = internals.prevCommandQueue
    for (let next = asked?.shift(); next !== undefined; next = asked?.shift()) {
      next.command.reject(new Error('Connection is closed.'))
    }
  })
}

/** What the last attempt to connect came to; undefined while the connection stands, and before the first attempt. */
function lastErrorOf(client: RedisClient): unknown {
  return lastErrors.get(client)
}

interface Connector {
  check(info: Readonly<Record<string, string>>): boolean
  disconnect(): void
  readonly stream?: { destroy(): void } | null
}

/**
 * A connection that is given up because another server is the primary now must answer nothing more. ioredis goes on reading from it for up
 * to 200 ms: an old primary that stood still and goes on would say in that time that it has stored what only the new one may store.
 */
function hearNoMore(client: Redis): void {
  const internals = client as unknown as { connector: Connector; manuallyClosing: boolean }
  const { connector } = internals
  const disconnect = connector.disconnect.bind(connector)
  connector.disconnect = () => {
    const { stream } = connector
    disconnect()
    if (!internals.manuallyClosing) stream?.destroy()
  }
}

/** The client asks its connector, with what INFO says of the server, before it is ready. */
function checkServer(client: Redis, peers: Peers): void {
  const { connector } = client as unknown as { connector: Connector }
  const check = connector.check.bind(connector)
  connector.check = (info) => {
    if (!check(info)) return false
    peers.meetReplica = info['role'] === 'slave'
    const problem = problemOf(info)
    if (problem === undefined) return true
    client.emit('error', problem)
    return false
  }
}

function problemOf({ role, redis_version: version }: Readonly<Record<string, string>>): Error | undefined {
  if (version !== undefined && isTooOld(version)) return new OutboxError('WXO_CONFIG', `Redis ${version} ${TOO_OLD}`)
  if (role === 'slave') return new Error('the Redis at this address is a replica, which takes no messages')
  return undefined
}

function isOfSelect(error: unknown): boolean {
  const { command } = error as { command?: { name?: string } }
  return error instanceof Error && command?.name === 'select'
}

/** Faults of a certificate that stay until somebody changes a setting, as OpenSSL calls them. */
const UNTRUSTED = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Why there is no connection, for whoever has waited for one: WXO_CONFIG where waiting longer cannot help. */
export function connectionError(client: RedisClient): OutboxError {
  const cause = innermost(lastErrorOf(client))
  if (cause instanceof OutboxError) return cause
  const why = settingAtFault(cause)
  if (why !== undefined) return new OutboxError('WXO_CONFIG', why, { cause })
  return new OutboxError('WXO_UNAVAILABLE', 'Redis is not available', { cause })
}

function settingAtFault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { message } = error
  const code = 'code' in error ? String(error.code) : ''
  if (isOfSelect(error)) return 'the database that the Redis URL names cannot be selected'
  if (message.startsWith('NOAUTH')) return 'Redis wants a password, and the Redis URL has none'
  if (/^WRONGPASS|^ERR invalid password/.test(message)) return 'Redis refuses the user or the password of the Redis URL'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'the certificate of Redis is for another host'
  if (UNTRUSTED.has(code))
    return 'the certificate of Redis is not trusted: NODE_EXTRA_CA_CERTS names the file of its CA'
  return undefined
}

/** A host of several addresses fails once for each, and a cluster by the error of one of its nodes. */
function innermost(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  const { lastNodeError } = (error ?? {}) as { lastNodeError?: unknown }
  return lastNodeError === undefined ? error : innermost(lastNodeError)
}
