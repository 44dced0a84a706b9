/**
 * The users of those messages that may wait for them: nobody of them has written at first, and while everything else breaks they write now
 * and then, mostly those for whom something waits. WeChat knows at once; the outbox is told until it has stored it, as WeChat's repeated
 * pushes would tell it, or now and then never.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FakeWechat } from '@wechat-outbox/fake-wechat'
import { Outbox } from '@wechat-outbox/outbox'
import { appPrefix, type RedisClient } from '@wechat-outbox/outbox/engine'
import { type Acted, type Calls, readCalls, readRecordedAt } from '../../e2e/support/windows-judge.ts'
import { APP } from './cast.ts'
import type { Plan } from './plan.ts'
import { createRandom, type Random } from './random.ts'

export interface People {
  readonly acted: readonly Acted[]
  /** They write no more; what is told still is told. Returns when the calls of what was delivered began. */
  stop(): Promise<Calls>
}

export interface PeopleOptions {
  readonly plan: Plan
  readonly fake: FakeWechat
  readonly redisUrl: string
  readonly redis: RedisClient
  readonly seed: number
}

const EVERY_MS = 40
const TELL_AGAIN_MS = 50
/** Of those who write, so many do whether or not anything waits for them, and so many pushes are lost. */
const IDLY = 0.2
const LOST = 0.1
const LOOKED_AT = 20

export function startPeople({ plan, fake, redisUrl, redis, seed }: PeopleOptions): People {
  const random = createRandom(seed)
  const people = [...new Set([...plan.messages.values()].flatMap(({ hold, touser }) => (hold ? [touser] : [])))]
  const outbox = new Outbox({ redis: redisUrl, appid: APP })
  const acted: Acted[] = []
  for (const touser of people) {
    fake.control.user(touser, 'close')
    acted.push({ touser, surprise: 'closed', knownAt: Date.now(), recordedAt: 0 })
  }
  let isStopped = people.length === 0
  const tell = async (entry: Acted): Promise<void> => {
    const action = { touser: entry.touser, action: 'message', id: String(acted.length), at: entry.knownAt } as const
    for (;;) {
      try {
        await outbox.userActed(action)
        entry.recordedAt = await readRecordedAt(redis, entry.touser)
        return
      } catch {
        await sleep(TELL_AGAIN_MS)
      }
    }
  }
  const act = async (touser: string): Promise<void> => {
    const entry: Acted = {
      touser,
      surprise: random.next() < LOST ? 'lost' : undefined,
      knownAt: Date.now(),
      recordedAt: 0,
    }
    acted.push(entry)
    fake.control.user(touser, 'message')
    if (entry.surprise === undefined) await tell(entry)
  }
  const run = async (): Promise<void> => {
    while (!isStopped) {
      await sleep(EVERY_MS)
      const idler = random.next() < IDLY ? people[random.between(0, people.length - 1)] : undefined
      const touser = idler ?? (await someoneAwaited(redis, random))
      if (touser !== undefined) await act(touser)
    }
  }
  const running = run()
  return {
    acted,
    async stop() {
      isStopped = true
      await running
      await outbox.close()
      return readCalls(redis)
    },
  }
}

/** Somebody for whom a message waits; nobody while Redis is away. */
async function someoneAwaited(redis: RedisClient, random: Random): Promise<string | undefined> {
  const jobs = `${appPrefix(APP)}:send:`
  try {
    const ids = await redis.zrange(`${jobs}awaiting-user`, '0', String(LOOKED_AT - 1))
    const id = ids[random.between(0, ids.length - 1)]
    if (id === undefined) return undefined
    return /"touser":"([^"]+)"/.exec((await redis.hget(`${jobs}${id}`, 'data')) ?? '')?.[1]
  } catch {
    return undefined
  }
}
