/**
 * Redis answers before its replicas have what it has stored, and a failover loses what they had not: whoever may not lose that
 * waits for a replica, with WAIT. That command is about what was written on its own connection and nothing
 * else, so it goes to the server that ran the script, over the connection that its answer came by; where that has changed in
 * between, nobody knows.
 *
 * While it waits, Redis serves nothing else on the connection. So one WAIT is under way at a time, and the next one confirms
 * all that was stored meanwhile.
 */
import { Cluster, Command, type Redis } from 'ioredis'
import type { RedisClient } from '../redis/connection.ts'

/** Together with a script this stays within what a producer waits for one command. */
const REPLICA_WAIT_MS = 1000

/** Asks, once a script has been answered, whether a replica has what it wrote. Rejects where Redis refuses to say. */
export type Confirm = () => Promise<boolean>

/** Called before a script is sent, with one of its keys. */
export type ReplicaWait = (redis: RedisClient, key: string) => Confirm

export function createReplicaWait(): ReplicaWait {
  const rounds = new WeakMap<Redis, (key: string) => Promise<boolean>>()
  return (redis, key) => {
    const server = primaryOf(redis, key)
    return async () => {
      // The script may have been answered by the one or the other.
      if (server === undefined || primaryOf(redis, key) !== server) return false
      const { stream } = server
      const ask = rounds.get(server) ?? createRounds(server)
      rounds.set(server, ask)
      return (await ask(key)) && server.stream === stream
    }
  }
}

function createRounds(server: Redis): (key: string) => Promise<boolean> {
  let last: Promise<unknown> = Promise.resolve()
  let next: { readonly keys: Set<string>; readonly answer: Promise<boolean> } | undefined
  return (key) => {
    if (next === undefined) {
      const keys = new Set<string>()
      const answer = last.then(() => {
        next = undefined
        return askReplicas(server, keys)
      })
      last = answer.catch(() => undefined)
      next = { keys, answer }
    }
    next.keys.add(key)
    return next.answer
  }
}

/** EXISTS is refused (ASK, MOVED) where the keys' slot is on its way to another server, which then has the message. */
async function askReplicas(server: Redis, keys: ReadonlySet<string>): Promise<boolean> {
  const looks = [...keys].map((key) => server.exists(key))
  const [acknowledged] = await Promise.all([server.wait(1, REPLICA_WAIT_MS), ...looks])
  return acknowledged > 0
}

/** The client of the server that has a key; undefined while a cluster's is not known. */
function primaryOf(redis: RedisClient, key: string): Redis | undefined {
  if (!(redis instanceof Cluster)) return redis
  const slot = new Command('exists', [key]).getSlot()
  const address = slot === null ? undefined : redis.slots[slot]?.[0]
  return redis.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address)
}
