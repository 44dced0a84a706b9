/**
 * Waiting for work in many queues costs a blocking connection each, and a worker of 200 apps would keep 400 of them for
 * queues in which nothing happens. Here one connection waits for all of them: BullMQ puts a marker beside a queue when it
 * has work or will have, and BZPOPMIN takes any number of markers. The waiter of that queue is called.
 *
 * A marker says no more than "look". One that is lost with a connection, or taken by a process that dies, is made up for by
 * the rounds that every process makes (`worker/queue-poll.ts`).
 *
 * Not for a Redis Cluster, where one command cannot wait for keys of several slots.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { RedisClock } from '../redis/clock.ts'
import { duplicateClient, type RedisClient } from '../redis/connection.ts'
import { sharedWaitKey } from '../redis/keys.ts'

/** A marker: `score` is 0, or when the earliest delayed job becomes due, in epoch ms by this machine's clock, as timers need it. */
export interface Marker {
  readonly member: string
  readonly score: number
}

export interface Waiting {
  /** The marker, or null when the time is over. Rejects when cancelled. */
  readonly heard: Promise<Marker | null>
  cancel(error: Error): void
}

export interface SharedWait {
  /** Waits for the marker of a queue, at most `ms`. A marker of a later time only makes the wait end at that time. */
  wait(markerKey: string, ms: number): Waiting
  /** Somebody knows without a marker that the queue has work, or will have at `at` (epoch ms by this machine's clock). */
  notify(markerKey: string, at?: number): void
  close(): void
}

/** One BZPOPMIN. */
const LISTEN_S = 10
/** What its answer may be late, before the connection counts as dead. */
const LATE_MS = 3000
const AFTER_FAULT_MS = 200
/** The longest that a timer of Node's can be set to is three weeks. */
const WAIT_MS_MAX = 86_400_000
const INTERRUPTION_LASTS_MS = 60_000

interface Waiter {
  /** Ends the wait at `at` (epoch ms), unless it ends before. */
  endAt(at: number): void
  settle(marker: Marker | null): void
}

/** Who waits, by key. Several may wait for the same one, and the marker is the first one's. */
function createWaiters() {
  const byKey = new Map<string, Set<Waiter>>()

  function remove(key: string, waiter: Waiter): void {
    const others = byKey.get(key)
    others?.delete(waiter)
    if (others?.size === 0) byKey.delete(key)
  }

  function createWaiter(key: string, resolve: (marker: Marker | null) => void): Waiter {
    let until = Number.POSITIVE_INFINITY
    let timer: NodeJS.Timeout | undefined
    const waiter: Waiter = {
      endAt(at) {
        if (at >= until) return
        until = at
        clearTimeout(timer)
        timer = setTimeout(() => waiter.settle(null), Math.min(Math.max(0, at - Date.now()), WAIT_MS_MAX))
      },
      settle(marker) {
        clearTimeout(timer)
        remove(key, waiter)
        resolve(marker)
      },
    }
    return waiter
  }

  return {
    keys: () => [...byKey.keys()],
    first: (key: string): Waiter | undefined => byKey.get(key)?.values().next().value,
    add(key: string, ms: number): Waiting {
      let cancel: (error: Error) => void = () => undefined
      const heard = new Promise<Marker | null>((resolve, reject) => {
        const waiter = createWaiter(key, resolve)
        const others = byKey.get(key)
        if (others === undefined) byKey.set(key, new Set([waiter]))
        else others.add(waiter)
        waiter.endAt(Date.now() + ms)
        cancel = (error) => {
          reject(error)
          waiter.settle(null)
        }
      })
      return { heard, cancel }
    },
  }
}

export function createSharedWait(redis: Redis, clock: Pick<RedisClock, 'toLocal'>): SharedWait {
  const waiters = createWaiters()
  // A marker of our own ends a command that waits for too few keys.
  const own = sharedWaitKey(randomUUID())
  let listening: ReadonlySet<string> | undefined
  let interrupting = false
  let closed = false
  let client: Redis | undefined
  let onFirst: (() => void) | undefined

  /** Many begin to wait at the same moment, and one interruption serves them all. */
  function interrupt(): void {
    if (interrupting) return
    interrupting = true
    const done = (): void => {
      interrupting = false
      // Whoever came while it was under way may have been too late for the command after it.
      if (listening !== undefined && !waiters.keys().every((key) => listening?.has(key))) interrupt()
    }
    // Where Redis refuses the marker it does so at once, and asked without a pause it would be asked all the time.
    const refused = (): Promise<void> => sleep(AFTER_FAULT_MS)
    setImmediate(() => void mark(redis, own).catch(refused).finally(done))
  }

  function heard(key: string, marker: Marker): void {
    if (key === own) return
    const first = waiters.first(key)
    if (first !== undefined) return tell(first, marker, clock)
    // Whoever waited has left meanwhile: the marker is for somebody else. One that has come since is newer.
    void redis.zadd(key, 'NX', marker.score, marker.member).catch(() => undefined)
  }

  async function listen(): Promise<void> {
    while (!closed) {
      if (waiters.keys().length === 0) await new Promise<void>((resolve) => (onFirst = resolve))
      onFirst = undefined
      if (closed) return
      client ??= open(redis)
      listening = new Set(waiters.keys())
      try {
        const popped = await popMarker(client, [...listening, own])
        listening = undefined
        if (popped !== null) heard(popped[0], { member: popped[1], score: Number(popped[2]) })
      } catch {
        // Redis is away, or the connection was: the work's connection says so, and rounds make up for what was missed.
        listening = undefined
        await sleep(AFTER_FAULT_MS)
      }
    }
  }
  void listen()

  return {
    wait(key, ms) {
      const waiting = waiters.add(key, ms)
      onFirst?.()
      if (listening !== undefined && !listening.has(key)) interrupt()
      return waiting
    },
    notify(key, at = 0) {
      if (at > Date.now()) waiters.first(key)?.endAt(at)
      else waiters.first(key)?.settle({ member: '0', score: 0 })
    },
    close() {
      closed = true
      onFirst?.()
      client?.disconnect()
    },
  }
}

/** In Redis a marker's time is Redis's. */
function tell(waiter: Waiter, { member, score }: Marker, clock: Pick<RedisClock, 'toLocal'>): void {
  const at = score === 0 ? 0 : clock.toLocal(score)
  if (at > Date.now()) waiter.endAt(at)
  else waiter.settle({ member, score: at })
}

/** @throws what Redis answers. Redis away ends the command that waits as well, and so nothing more has to be done about it. */
async function mark(redis: Redis, key: string): Promise<void> {
  const multi = redis.multi().zadd(key, 0, '0').pexpire(key, INTERRUPTION_LASTS_MS)
  await multi.exec()
}

/** Fails at once when the connection breaks: repeated after a reconnect, it would wait for the keys of long ago. */
function open(redis: Redis): Redis {
  return duplicateClient(redis, {
    connectionName: 'wxo:wait',
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  })
}

/** A connection that is open and dead would stay silent for ever, so it is replaced. */
async function popMarker(client: Redis, keys: readonly string[]): Promise<[string, string, string] | null> {
  const timer = setTimeout(() => client.disconnect(true), LISTEN_S * 1000 + LATE_MS)
  try {
    return await client.bzpopmin([...keys], LISTEN_S)
  } finally {
    clearTimeout(timer)
  }
}

/** One for a process, or none where Redis is a cluster. */
export function sharedWaitFor(redis: RedisClient, clock: Pick<RedisClock, 'toLocal'>): SharedWait | undefined {
  return redis instanceof Redis ? createSharedWait(redis, clock) : undefined
}
