/**
 * One connection with everything on it that the outbox needs: the Lua scripts, BullMQ's commands for any queue of any
 * app, and transactions that mix the two. This is the only file that uses BullMQ below its documented surface
 * (`addJobToTransaction`, `execCommand`): its version is pinned, and an upgrade is checked here.
 */
import { type JobJson, Queue, QueueKeys, RedisQueueBackend, type WorkerOptions } from 'bullmq'
import type { ChainableCommander } from 'ioredis'
import type { RedisClient } from './connection.ts'
import { appPrefix } from './keys.ts'
import { defineScripts, loadScripts } from './scripts.ts'

/** BullMQ's view of a MULTI and ioredis's are the same object: its commands and ours go through either. */
export type Transaction = ReturnType<Awaited<RedisQueueBackend['client']>['multi']> & ChainableCommander

export interface Store {
  readonly redis: RedisClient
  /** Counts the connections that the client has had: what belongs to one (WATCH) does not hold on the next. */
  connection(): number
  /** BullMQ's operations on one queue of one app. */
  backend(appid: string, queue: string): RedisQueueBackend
  /** The same for a Worker, with its options. It has no connection of its own, and so no blocking one. */
  workerBackend(queue: string, opts: WorkerOptions): RedisQueueBackend
  /** Starts a MULTI that takes scripts of ours (`runScript`) and BullMQ's commands (`addJob`, `removeJob`). */
  multi(): Transaction
}

/**
 * Makes a store of a connection that is ready. Any number of apps share it: BullMQ's own way to that is a sibling
 * backend, which needs neither a connection nor a round trip.
 */
export async function openStore(redis: RedisClient): Promise<Store> {
  const queue = new Queue('wxo', { connection: redis, skipMetasUpdate: true, skipVersionCheck: true })
  // The connection's owner listens for its errors; here they would only be said twice.
  queue.on('error', () => undefined)
  await queue.waitUntilReady()
  const base = queue.getBackend() as RedisQueueBackend
  const client = await base.client
  defineScripts(redis)
  await loadScripts(redis)
  // Whatever is there after a reconnect may be another server.
  redis.on('ready', () => void loadScripts(redis).catch(() => undefined))
  let connections = 0
  redis.on('close', () => (connections += 1))
  const backends = new Map<string, RedisQueueBackend>()
  return {
    redis,
    connection: () => connections,
    backend(appid, name) {
      const key = `${appid}/${name}`
      let backend = backends.get(key)
      if (backend === undefined) {
        backend = base.forQueue(name, appPrefix(appid)) as RedisQueueBackend
        backends.set(key, backend)
      }
      return backend
    },
    workerBackend(name, opts) {
      const keys = new QueueKeys(opts.prefix)
      const toKey = (type: string): string => keys.toKey(name, type)
      return new RedisQueueBackend(base.connection, name, keys.getKeys(name), toKey, opts, undefined, false)
    },
    multi: () => client.multi() as Transaction,
  }
}

export interface NewJob {
  readonly id: string
  readonly name: string
  readonly data: unknown
  /** Epoch milliseconds. */
  readonly timestamp: number
}

/** Queues BullMQ's add. It does nothing where a job of that id exists already. */
export function addJob(multi: Transaction, backend: RedisQueueBackend, job: NewJob): void {
  const json: JobJson = {
    id: job.id,
    name: job.name,
    data: JSON.stringify(job.data),
    opts: {},
    timestamp: job.timestamp,
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
    failedReason: 'null',
    returnvalue: 'null',
  }
  // The promise tells nothing in a transaction: the answer comes with the others when it is executed.
  void backend.addJobToTransaction(multi, json, job.id)
}

/** Queues BullMQ's removal, which refuses (0) a job that a worker holds. */
export function removeJob(multi: Transaction, backend: RedisQueueBackend, id: string): void {
  const keys = [backend.toKey(id), backend.keys.repeat, id, 0, backend.toKey('')]
  backend.execCommand(multi, 'removeJob', keys)
}

/** Runs a transaction. Returns each command's answer, or null if a watched key had changed. @throws the first error */
export async function execute(multi: Transaction): Promise<unknown[] | null> {
  const answers = (await multi.exec()) as [Error | null, unknown][] | null
  if (answers === null) return null
  return answers.map(([error, answer]) => {
    if (error) throw error
    return answer
  })
}
