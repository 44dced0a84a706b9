// Looks for the messages of workers that died, around refusals of Redis: whoever is alive records what it knows before anybody's
// message is taken over.
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createQueuePoll } from '../../src/worker/queue-poll.ts'
import { createHand } from '../support/hand.ts'
import { whileRefusing } from '../support/refusals.ts'
import { APP, keys, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld()
afterEach(() => world.redis.flushdb())

const STALLED = `${keys.sendJobs}stalled`
const waiting = (): Promise<string[]> => world.redis.lrange(keys.sendWait, '0', '-1')
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: WAIT_MS, interval: 5 })

/** A message that is held without a lock, and that a look has found so before. Returns its id. */
async function found(): Promise<string> {
  await world.outbox().send(text('o-held'))
  const { id } = await createHand(world).fetch()
  await world.redis.del(keys.sendLock(id))
  await world.redis.sadd(STALLED, id)
  return id
}

function lookBy(options: { mayTakeOver: () => boolean; onError?: () => void }): void {
  const poll = createQueuePoll({
    appid: APP,
    store: world.store,
    sharedWait: undefined,
    everyMs: 5,
    stalledIntervalMs: 5,
    onError: () => undefined,
    ...options,
  })
  onTestFinished(() => poll.stop())
  poll.start()
}

describe('the message of a worker that died', () => {
  it('stays where it is while it may not be taken over, and is taken over afterwards', async () => {
    const id = await found()
    let may = false
    const mayTakeOver = vi.fn(() => may)
    lookBy({ mayTakeOver })
    await until(() => expect(mayTakeOver.mock.calls.length).toBeGreaterThan(20))
    expect(await waiting()).toEqual([])
    may = true
    await until(async () => expect(await waiting()).toEqual([id]))
  })

  it('is not taken over by the first look after one that Redis refused, because the looks begin anew', async () => {
    const id = await found()
    let looks = 0
    const refused = vi.fn(() => undefined)
    lookBy({ mayTakeOver: () => looks-- > 0, onError: refused })
    await whileRefusing(world.url, { how: 'READONLY', ms: 0 }, async () => {
      looks = 1
      await until(() => expect(refused).toHaveBeenCalled())
    })
    // It is gone once the next look is over.
    await world.redis.sadd(STALLED, 'm-of-a-look-before')
    looks = 1
    await until(async () => expect(await world.redis.smembers(STALLED)).toEqual([id]))
    expect(await waiting()).toEqual([])
    looks = Number.POSITIVE_INFINITY
    await until(async () => expect(await waiting()).toEqual([id]))
  })
})
