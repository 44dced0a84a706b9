// An app that a worker serves is known, whatever others do to Redis meanwhile.
import { describe, expect, it, vi } from 'vitest'
import { APPS_KEY } from '../../src/redis/keys.ts'
import { readKnownApps, readServed } from '../../src/redis/known-apps.ts'
import { APP, delivering, sharedWorld, text, WAIT_MS } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })

const OFTEN = { sweepEveryMs: 100 }
const soon = (look: () => Promise<void>) => vi.waitFor(look, { timeout: WAIT_MS })
const known = () => readKnownApps(world.store, undefined)
const served = () => readServed(world.store, [APP])

describe('the app of a running worker', () => {
  it('is known when the worker runs, and again after Redis was emptied', async () => {
    const { consumer } = await world.consumer(delivering([]), OFTEN)
    expect(await known()).toEqual([APP])
    await world.redis.flushall()
    await soon(async () => expect([await known(), await served()]).toEqual([[APP], new Set([APP])]))
    await consumer.close(2000)
  })

  it('is served although Redis refuses to note it, and noted as soon as Redis does not', async () => {
    const sent: string[] = []
    await world.redis.set(APPS_KEY, 'no set')
    const { consumer, problems } = await world.consumer(delivering(sent), OFTEN)
    expect(problems[0]).toMatchObject({ what: 'registering the app', error: expect.stringContaining('WRONGTYPE') })
    const [id = ''] = await world.accept([text('o-one')])
    await soon(async () => expect(sent).toEqual([id]))
    await world.redis.del(APPS_KEY)
    await soon(async () => expect(await known()).toEqual([APP]))
    await consumer.close(2000)
  })
})
