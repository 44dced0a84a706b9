/** The two sides of a comparison, with the same knobs: fill the queue, start a worker. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { connectRedis } from '@wechat-outbox/outbox/engine'
import { type LocalRedis, type StartedProcess } from '@wechat-outbox/sandbox'
import type { Far } from './far-side/client.ts'
import { messagesIn, type Shape } from './messages.ts'
import { addAll, CONCURRENCY, openPlainQueue } from './plain.ts'
import { STARTED_MS_MAX, type World } from './world.ts'

export type Side = 'outbox' | 'plain'
export const SIDES = ['outbox', 'plain'] as const

export const APP = SANDBOX_APP_ID

export interface Filling {
  readonly url: string
  readonly shape: Shape
  /** Numbers go on from here. Default 0. */
  readonly from?: number
  readonly count: number
  /** Of an outbox: everybody has an open reply window, and messages may wait for it. */
  readonly hasWindows?: boolean
}

/** Stores messages that nobody fetches yet. */
export async function fill(side: Side, { url, shape, from = 0, count, hasWindows = false }: Filling): Promise<void> {
  if (side === 'plain') {
    const queue = openPlainQueue(url)
    for (const chunk of messagesIn(shape, { from, count }, 500)) await addAll(queue, chunk)
    return queue.close()
  }
  const outbox = await openOutbox(url)
  for (const chunk of messagesIn(shape, { from, count }, 1000)) {
    const people = hasWindows ? new Set(chunk.map(({ touser }) => touser)) : []
    await Promise.all([...people].map((touser) => outbox.userActed({ touser, action: 'message' })))
    await sendAll(outbox, hasWindows ? chunk.map((message) => ({ ...message, onClosed: 'hold' as const })) : chunk)
  }
  await outbox.close()
}

/** An Outbox that has reached Redis. By itself it fails at once instead of waiting, as a producer should; a bench waits. */
export async function openOutbox(url: string, appid = APP): Promise<Outbox> {
  const outbox = new Outbox({ redis: url, appid })
  for (const until = performance.now() + STARTED_MS_MAX; ; await sleep(20)) {
    try {
      await outbox.status('m-nothing')
      return outbox
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}

/** @throws the first refusal */
export async function sendAll(outbox: Outbox, messages: Parameters<Outbox['sendMany']>[0]): Promise<void> {
  for (const result of await outbox.sendMany(messages)) if ('error' in result) throw result.error
}

export interface Working {
  readonly redis: LocalRedis
  readonly far: Far
  /** Over the outbox worker's environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a worker process. It fetches as soon as it is up; `whenUp` waits for that. */
export function startWorker(world: World, side: Side, { redis, far, env = {} }: Working): StartedProcess {
  if (side === 'plain') return world.role('plain-worker', { url: redis.url, far: far.url })
  return world.program('apps/worker/src/main.ts', {
    REDIS_URL: redis.url,
    WECHAT_APP_ID: APP,
    WECHAT_APP_SECRET: SANDBOX_APP_SECRET,
    WECHAT_API_BASE_URL: far.url,
    WORKER_CONCURRENCY: String(CONCURRENCY),
    WORKER_PORT: '0',
    LOG_LEVEL: 'warn',
    ...env,
  })
}

/** Connections of an idle worker that wait in Redis: the queues of an outbox's worker share one. */
export const WAITING: Readonly<Record<Side, number>> = { outbox: 1, plain: 1 }

/** Resolves when so many connections wait in Redis for work. */
export async function whenWaiting(redis: LocalRedis, connections: number): Promise<void> {
  const client = connectRedis(redis.url, 'operate')
  try {
    for (const until = performance.now() + STARTED_MS_MAX; performance.now() < until; await sleep(20)) {
      const blocked = /blocked_clients:(\d+)/.exec(await client.info('clients'))?.[1] ?? 0
      if (Number(blocked) >= connections) return
    }
  } finally {
    client.disconnect()
  }
  throw new Error('no worker came up')
}
