/**
 * A worker talks to Redis in many small commands, a handful per message, and to the operating system each one is a call of its
 * own: on both sides of the socket that costs more than what is said. So what is written within one turn of the event
 * loop is held back until its end and leaves as one piece. Nothing waits longer than that turn, and the order stays.
 *
 * Not ioredis's `enableAutoPipelining`, which does the same one layer higher and made a worker slower.
 *
 * In a loop of scripts, 100 at a time: 14.4 → 8.0 µs of CPU per command in the process and 7.0 → 6.0 µs in Redis.
 */
import { Cluster, type Redis } from 'ioredis'
import type { RedisClient } from './connection.ts'

type Stream = Redis['stream']

/** For every connection that the client will have. */
export function batchWrites(client: RedisClient): void {
  if (client instanceof Cluster) client.on('+node', (node: Redis) => batchWritesOf(node))
  else batchWritesOf(client)
}

function batchWritesOf(client: Redis): void {
  client.on('connect', () => holdBack(client.stream))
}

function holdBack(stream: Stream): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  let isHeld = false
  const release = (): void => {
    isHeld = false
    stream.uncork()
  }
  stream.write = (...args: unknown[]): boolean => {
    if (!isHeld) {
      isHeld = true
      stream.cork()
      setImmediate(release)
    }
    return write(...args)
  }
}
