// Processes that do not measure the clock by themselves, producers and the gateway, on a host whose own clock is off.
import { expect, it, vi } from 'vitest'
import { cancelMessage } from '../../src/producer/cancel.ts'
import { createRedisClock } from '../../src/redis/clock.ts'
import type { Store } from '../../src/redis/store.ts'
import { readWindow, readWindowStates, recordAction } from '../../src/windows/ledger.ts'
import { APP, sharedWorld, text } from '../support/world.ts'

const HOUR_MS = 3_600_000
const PERSON = 'o-clock'

const world = sharedWorld({ isFlushed: true })

/** A store as a process has it that began while its host's clock was so far ahead. */
function storeAhead(ms: number): Store {
  const origin = performance.timeOrigin
  vi.spyOn(performance, 'timeOrigin', 'get').mockReturnValue(origin + ms)
  const store = { ...world.store, clock: createRedisClock(world.redis) }
  vi.restoreAllMocks()
  return store
}

it.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])('the state of a window is told by Redis’s clock on a host that is %s', async (_what, ms) => {
  const now = Date.now()
  const rule = { limit: 5, ms: HOUR_MS / 2 }
  await recordAction(world.store, APP, { touser: PERSON, action: 'message', at: now - 1000, rule })
  await recordAction(world.store, APP, { touser: 'o-closed', action: 'message', at: now - HOUR_MS / 2 - 1000, rule })
  for (const [person, state] of [
    [PERSON, 'open'],
    ['o-closed', 'unknown'],
  ] as const) {
    expect((await readWindow(storeAhead(ms), APP, person)).state).toBe(state)
    expect(await readWindowStates(storeAhead(ms), APP, [person])).toEqual([state])
  }
})

it('a message is cancelled at the time of Redis’s clock', async () => {
  const [id = ''] = await world.accept([text(PERSON)])
  const before = Date.now()
  expect(await cancelMessage(storeAhead(HOUR_MS), { appid: APP, id }, HOUR_MS)).toBe('cancelled')
  const { settledAt = '' } = (await world.outbox().status(id)) ?? {}
  expect(Math.abs(Date.parse(settledAt) - before)).toBeLessThan(HOUR_MS / 2)
})

it('asks Redis at most once a minute', async () => {
  const time = vi.spyOn(world.redis, 'time')
  const clock = createRedisClock(world.redis)
  await clock.read()
  const asked = time.mock.calls.length
  await clock.read()
  expect(time).toHaveBeenCalledTimes(asked)
  time.mockRestore()
})
