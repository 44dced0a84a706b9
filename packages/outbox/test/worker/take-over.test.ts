// Looks for the messages of workers that died, around refusals and outages of Redis: whoever is alive records what it knows before
// anybody's message is taken over.
import { startTcpProxy } from '@wechat-outbox/sandbox'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openStore, type Store } from '../../src/redis/store.ts'
import { createQueuePoll } from '../../src/worker/queue-poll.ts'
import { createHand } from '../support/hand.ts'
import { connect } from '../support/proxied.ts'
import { whileRefusing } from '../support/refusals.ts'
import { APP, DELIVERED, keys, memberOf, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld()
afterEach(() => world.redis.flushdb())

const STALLED = `${keys.sendJobs}stalled`
/** How long a worker here has to be in touch before it takes anything over. */
const TOUCH_MS = 600
const INTERVAL_MS = 100
/** Longer than half a lease, and than what a look remembers. */
const OUTAGE_MS = 1.05 * TOUCH_MS
const waiting = (): Promise<string[]> => world.redis.lrange(keys.sendWait, '0', '-1')
const found = (): Promise<string[]> => world.redis.smembers(STALLED)
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 5 })

/** A message that is held. Returns its id. */
async function held(): Promise<string> {
  await world.outbox().send(text('o-held'))
  return (await createHand(world).fetch()).id
}

function lookBy(options: { store?: Store; mayTakeOver?: () => boolean; onError?: () => void } = {}): void {
  const poll = createQueuePoll({
    appid: APP,
    store: world.store,
    sharedWait: undefined,
    everyMs: TOUCH_MS,
    stalledIntervalMs: INTERVAL_MS,
    mayTakeOver: () => true,
    onError: () => undefined,
    ...options,
  })
  onTestFinished(() => poll.stop())
  poll.start()
}

/** A worker's connection that a test can break. */
async function apart() {
  const proxy = await startTcpProxy({ targetPort: Number(new URL(world.url).port) })
  onTestFinished(() => proxy.close())
  return { proxy, store: await openStore(await connect(proxy.url('redis'))) }
}

describe('the message of a worker that died', () => {
  it('stays where it is while it may not be taken over, and is taken over afterwards', async () => {
    const id = await held()
    await world.redis.del(keys.sendLock(id))
    let may = false
    const mayTakeOver = vi.fn(() => may)
    lookBy({ mayTakeOver })
    await until(() => expect(mayTakeOver.mock.calls.length).toBeGreaterThan((2 * TOUCH_MS) / INTERVAL_MS))
    expect(await waiting()).toEqual([])
    may = true
    await until(async () => expect(await waiting()).toEqual([id]))
  })

  it('is not taken over at once after Redis has refused, because the looks begin anew', async () => {
    const id = await held()
    const refused = vi.fn(() => undefined)
    lookBy({ onError: refused })
    await until(async () => expect(await found()).toEqual([id]))
    await world.redis.pexpire(keys.sendLock(id), String(TOUCH_MS))
    await whileRefusing(world.url, { how: 'NOREPLICAS', ms: 0 }, async () => {
      await until(() => expect(refused).toHaveBeenCalled())
      await until(async () => expect(await world.redis.exists(keys.sendLock(id), STALLED)).toBe(0))
    })
    await until(async () => expect(await waiting()).toEqual([id]))
  })
})

describe('after Redis was away for longer than a lease, the message of a worker that died', () => {
  it('is not taken over before the looker has been in touch again for a while', async () => {
    const { proxy, store } = await apart()
    const id = await held()
    lookBy({ store })
    await until(async () => expect(await found()).toEqual([id]))
    proxy.stall(true)
    await world.redis.pexpire(keys.sendLock(id), String(OUTAGE_MS))
    await until(async () => expect(await world.redis.exists(keys.sendLock(id), STALLED)).toBe(0))
    const back = performance.now()
    proxy.stall(false)
    await until(async () => expect(await waiting()).toEqual([id]))
    expect(performance.now() - back).toBeGreaterThanOrEqual(TOUCH_MS)
  })

  it('nor where connections were refused', async () => {
    const { proxy, store } = await apart()
    const started = performance.now()
    lookBy({ store })
    // Nobody holds anything before, so that nothing is looked for.
    await until(() => expect(performance.now() - started).toBeGreaterThan(2 * TOUCH_MS))
    const id = await held()
    await proxy.refuse(true)
    proxy.resetAll()
    await world.redis.pexpire(keys.sendLock(id), String(OUTAGE_MS))
    await until(async () => expect(await world.redis.exists(keys.sendLock(id), STALLED)).toBe(0))
    const back = performance.now()
    await proxy.refuse(false)
    await until(async () => expect(await waiting()).toEqual([id]))
    expect(performance.now() - back).toBeGreaterThanOrEqual(TOUCH_MS)
  })

  it('nor where its own process stood still meanwhile', async () => {
    const id = await held()
    lookBy()
    await until(async () => expect(await found()).toEqual([id]))
    await world.redis.pexpire(keys.sendLock(id), String(TOUCH_MS))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * TOUCH_MS + INTERVAL_MS)
    const back = performance.now()
    await until(async () => expect(await waiting()).toEqual([id]))
    expect(performance.now() - back).toBeGreaterThanOrEqual(TOUCH_MS)
  })

  it('nor by a worker that has just started', async () => {
    const id = await held()
    await world.redis.del(keys.sendLock(id))
    await world.redis.sadd(STALLED, id)
    const started = performance.now()
    lookBy()
    await until(async () => expect(await waiting()).toEqual([id]))
    expect(performance.now() - started).toBeGreaterThanOrEqual(TOUCH_MS)
  })

  it('is taken over although another worker’s connection breaks again and again', async () => {
    const { proxy, store } = await apart()
    lookBy({ store })
    lookBy()
    const id = await held()
    const breaking = setInterval(() => proxy.resetAll(), INTERVAL_MS / 2)
    onTestFinished(() => clearInterval(breaking))
    await world.redis.del(keys.sendLock(id))
    await until(async () => expect(await waiting()).toEqual([id]))
  })
})

describe('after Redis was away for longer than a lease, the message of a worker that lives', () => {
  it('is not sent by the one that is back first: what the other has heard from WeChat holds', async () => {
    const [first, second] = [await apart(), await apart()]
    const stalledAfterMs = 2000
    const sent: string[] = []
    const work = async (name: string, store: Store, heard: () => Promise<unknown>): Promise<void> => {
      const { consumer } = await world.consumer(
        async (run) => {
          const turn = await run.admit(memberOf(run))
          if (turn.kind !== 'go') return turn
          sent.push(name)
          await heard()
          return DELIVERED
        },
        { store, stalledAfterMs },
      )
      onTestFinished(async () => void (await consumer.close(2000)))
    }
    const answer = Promise.withResolvers<void>()
    await work('second', second.store, () => answer.promise)
    const { id } = await world.outbox().send(text('o-heard'))
    await until(() => expect(sent).toEqual(['second']))
    await work('first', first.store, () => Promise.resolve())
    const started = performance.now()
    // By then the first has seen that a message is held, and looks whether its worker is dead.
    await until(() => expect(performance.now() - started).toBeGreaterThan(1.5 * stalledAfterMs))
    // A renewal takes it out of what was found.
    await until(async () => {
      expect(await found()).toEqual([id])
      expect(await world.redis.pttl(keys.sendLock(id))).toBeGreaterThan(0.85 * stalledAfterMs)
    })
    for (const { proxy } of [first, second]) proxy.stall(true)
    answer.resolve()
    await until(async () => expect(await world.redis.exists(keys.sendLock(id))).toBe(0))
    first.proxy.stall(false)
    await first.store.redis.ping()
    second.proxy.stall(false)
    await until(async () => expect(await world.send.getCompletedCount()).toBe(1))
    expect(sent).toEqual(['second'])
    expect(await world.redis.hget(keys.sendJob(id), 'stc')).toBeNull()
  })
})
