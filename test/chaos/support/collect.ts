/** What stands in Redis once all is over, or once the time for it is: counts, leftovers, and each message's last word. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StatusReport } from '@wechat-outbox/messages'
import { Outbox } from '@wechat-outbox/outbox'
import {
  appPrefix,
  connectRedis,
  DEAD_LETTER_QUEUE,
  type ListedDeadLetter,
  listDeadLetters,
  openStore,
  type RedisClient,
  SEND_QUEUE,
} from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { APP } from './cast.ts'
import { keysLike, lanesOf } from './stranded.ts'

export interface Leftovers {
  /** Jobs of `send` by state, `completed` aside; and those of `dead-letter`, `failed` aside. */
  readonly open: Readonly<Record<string, number>>
  readonly lanes: readonly string[]
  readonly locks: readonly string[]
}

export interface Books {
  readonly leftovers: Leftovers
  /** Jobs of `send`, which are the delivered ones when nothing is left over. */
  readonly jobs: number
  readonly deadLetters: readonly ListedDeadLetter[]
  readonly statuses: ReadonlyMap<string, StatusReport | null>
}

const OPEN_STATES = ['wait', 'active', 'delayed', 'failed', 'prioritized', 'waiting-children'] as const
const LOOK_EVERY_MS = 250
const STATUSES_AT_ONCE = 100

export interface Reader {
  leftovers(): Promise<Leftovers>
  /** Waits until nothing is left over, at most until `deadline` (of `performance.now()`); what is left then is told. */
  settled(deadline: number): Promise<Leftovers>
  books(ids: readonly string[], leftovers: Leftovers): Promise<Books>
  readonly redis: RedisClient
  close(): Promise<void>
}

export function openReader(redisUrl: string): Reader {
  const redis = connectRedis(redisUrl, 'work')
  redis.on('error', () => undefined)
  const outbox = new Outbox({ redis: redisUrl, appid: APP })
  const queues = [SEND_QUEUE, DEAD_LETTER_QUEUE].map((name) => {
    const queue = new Queue(name, { connection: redis, prefix: appPrefix(APP) })
    queue.on('error', () => undefined)
    return queue
  })
  const leftovers = async (): Promise<Leftovers> => {
    const open: Record<string, number> = {}
    for (const queue of queues) {
      const ownEnd = queue.name === SEND_QUEUE ? 'completed' : 'failed'
      const counts = await queue.getJobCounts(...OPEN_STATES)
      for (const [state, count] of Object.entries(counts)) {
        if (count > 0 && state !== ownEnd) open[`${queue.name} ${state}`] = count
      }
    }
    return { open, lanes: await lanesOf(redis), locks: await keysLike(redis, `${appPrefix(APP)}:*:lock`) }
  }
  return {
    redis,
    leftovers,
    async settled(deadline) {
      for (;;) {
        const left = await leftovers()
        const none = Object.keys(left.open).length + left.lanes.length + left.locks.length === 0
        if (none || performance.now() > deadline) return left
        await sleep(LOOK_EVERY_MS)
      }
    },
    async books(ids, left) {
      const store = await openStore(redis)
      const deadLetters: ListedDeadLetter[] = []
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: Awaited<ReturnType<typeof listDeadLetters>> = await listDeadLetters(store, APP, {
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        })
        deadLetters.push(...page.items)
        cursor = page.next
      }
      const jobs = (await keysLike(redis, `${appPrefix(APP)}:send:m-*`)).filter((key) => !key.endsWith(':lock')).length
      const statuses = new Map<string, StatusReport | null>()
      for (let at = 0; at < ids.length; at += STATUSES_AT_ONCE) {
        const part = ids.slice(at, at + STATUSES_AT_ONCE)
        const reports = await Promise.all(part.map((id) => outbox.status(id)))
        for (const [index, id] of part.entries()) statuses.set(id, reports[index] ?? null)
      }
      return { leftovers: left, jobs, deadLetters, statuses }
    },
    async close() {
      await outbox.close()
      redis.disconnect()
    },
  }
}
