// Redis refuses one of the other scripts of a run: what is asked before a call, and what is told after it. The message is sent once,
// loses no try and does not die; and what WeChat said of it is never lost with what could not be told.
import {
  REDIS_ERRORS,
  type RedisErrorName,
  type RedisProxy,
  scriptNamesOf,
  startRedisProxy,
} from '@wechat-outbox/sandbox'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readHold, reportFault } from '../../src/app-hold/hold.ts'
import { connectRedis, type RedisClient } from '../../src/redis/connection.ts'
import { openStore, type Store } from '../../src/redis/store.ts'
import type { Consumer } from '../../src/worker/consumer.ts'
import type { Run, Settlement } from '../../src/worker/run.ts'
import { appFault } from '../support/app-fault.ts'
import {
  APP,
  ASKING,
  createWorld,
  DELIVERED,
  keys,
  memberOf,
  type Reported,
  text,
  WAIT_MS,
  type World,
} from '../support/world.ts'

let world: World
let proxy: RedisProxy
let client: RedisClient
let store: Store
let nameOf: (command: readonly string[]) => string | undefined
const consumers: Consumer[] = []
beforeAll(async () => {
  world = await createWorld()
  proxy = await startRedisProxy({ targetPort: Number(new URL(world.url).port) })
  client = connectRedis(proxy.url, 'work')
  client.on('error', () => undefined)
  store = await openStore(client)
  nameOf = scriptNamesOf(client)
})
beforeEach(async () => {
  proxy.setOnCommand()
  await world.redis.flushall()
})
afterEach(async () => {
  proxy.setOnCommand()
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close(2000)))
})
afterAll(async () => {
  client.disconnect()
  await proxy.close()
  await world.close()
})

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 })

/** The next so many runs of a script are refused. */
function refuse(script: string, error: RedisErrorName, times: number): () => number {
  let left = times
  proxy.setOnCommand((command) => {
    if (left === 0 || nameOf(command)?.split(':').slice(0, 2).join(':') !== script) return undefined
    left -= 1
    return { refuse: REDIS_ERRORS[error] }
  })
  return () => left
}

async function work(deliver: (run: Run) => Promise<Settlement>): Promise<Reported> {
  const reported = await world.consumer(deliver, { ...ASKING, store, sharedWait: undefined, concurrency: 4 })
  consumers.push(reported.consumer)
  return reported
}

/** Sends with a token that WeChat refuses at first, and tells what each call said about the app. */
function sending(sent: string[]) {
  const refused = new Set<string>()
  return async (run: Run): Promise<Settlement> => {
    for (;;) {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      if (turn.interruptedMsAgo !== undefined) throw new Error('it looks as if a worker had died')
      if (refused.size === 0) {
        refused.add(run.id)
        if (!(await run.unmark())) return { kind: 'lost' }
        continue
      }
      sent.push(run.id)
      await run.signalApp({ kind: 'healthy' })
      return DELIVERED
    }
  }
}

const fault = appFault()

describe.each(['READONLY', 'NOREPLICAS', 'OOM', 'BUSY'] as const)('Redis answers %s', (error) => {
  it.each(['wxo:admit', 'wxo:unmark', 'wxo:queue-poll', 'wxo:heal', 'wxo:hold-turn'])(
    'to %s, three times, and each message is sent once, in its order',
    async (script) => {
      const people = ['o-1', 'o-1', 'o-2', 'o-3', 'o-3']
      const ids = await world.accept(
        people.map((one, n) => ({ ...text(one, `n${n}`), ...(n % 2 ? { ifUnsure: 'dead-letter' as const } : {}) })),
      )
      const left = refuse(script, error, 3)
      const sent: string[] = []
      const { dead, problems } = await work(sending(sent))
      await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
      expect(sent.toSorted()).toEqual(ids.toSorted())
      expect(sent.indexOf(ids[0] ?? '')).toBeLessThan(sent.indexOf(ids[1] ?? ''))
      expect(sent.indexOf(ids[3] ?? '')).toBeLessThan(sent.indexOf(ids[4] ?? ''))
      for (const id of ids) expect(await world.redis.hget(keys.sendJob(id), 'atm')).toBe('1')
      expect(dead).toEqual([])
      // Some of them are run from time to time only.
      await until(() => expect(left()).toBeLessThan(3))
      expect(problems.length).toBeLessThan(10)
    },
  )

  it('to what the probe of a held app says, and the probe is delivered once', async () => {
    await reportFault(world.store, APP, { token: 'a run', fault })
    await world.redis.hset(keys.hold, 'until', '1')
    const ids = await world.accept(['o-1', 'o-2'].map((one) => text(one)))
    const left = refuse('wxo:hold-prove', error, 2)
    const sent: string[] = []
    const { dead } = await work(sending(sent))
    await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(ids.length))
    await until(async () => expect(await readHold(world.store, APP)).toBeNull())
    expect([sent.toSorted(), left(), dead]).toEqual([ids.toSorted(), 0, []])
  })

  it('to the news of a fault of the app, which costs no message a try', async () => {
    const [id = ''] = await world.accept([text('o-1')])
    const left = refuse('wxo:hold-fault', error, 1)
    const heard: boolean[] = []
    const { problems } = await work(async (run) => {
      const turn = await run.admit(memberOf(run))
      if (turn.kind !== 'go') return turn
      if (heard.length > 0) return DELIVERED
      heard.push(await run.signalApp(fault))
      return { kind: 'snooze', delayMs: 1, counts: !heard.at(-1), attempts: [] }
    })
    await until(async () => expect(await world.redis.zcard(keys.sendCompleted)).toBe(1))
    expect([heard, left()]).toEqual([[true], 0])
    expect(await world.redis.hget(keys.sendJob(id), 'atm')).toBe('1')
    expect(problems).toEqual([expect.objectContaining({ what: 'what a call says about the app' })])
  })
})
