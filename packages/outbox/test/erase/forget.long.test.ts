// A person is found among a hundred thousand jobs, and Redis serves everybody else meanwhile.
import { expect, it } from 'vitest'
import { forgetPerson } from '../../src/erase/forget.ts'
import { APP, keys, sharedWorld, text } from '../support/world.ts'

const JOBS = 100_000
const OWN_EVERY = 100
const ANNA = 'oAnna-0123456789_abcdef'
/** Far more than is measured (a few ms), for a loaded machine. */
const SLOWEST_MS = 200

const world = sharedWorld()

it(`of ${JOBS} jobs and no command takes long`, { timeout: 600_000 }, async () => {
  for (let from = 0; from < JOBS; from += 1000) {
    await world.accept(
      Array.from({ length: 1000 }, (_, n) =>
        text((from + n) % OWN_EVERY === 0 ? ANNA : `o-${(from + n) % 5000}`, 'x'.repeat(300)),
      ),
    )
  }
  await world.redis.config('SET', 'slowlog-log-slower-than', '1000')
  await world.redis.slowlog('RESET')
  const forgotten = await forgetPerson(world.store, { appid: APP, touser: ANNA })
  const slow = (await world.redis.slowlog('GET', 10)) as [number, number, number, string[]][]
  const slowestMs = Math.max(0, ...slow.map(([, , micros]) => micros / 1000))
  expect(forgotten).toMatchObject({ waiting: JOBS / OWN_EVERY, left: { sending: 0 } })
  expect(slowestMs).toBeLessThan(SLOWEST_MS)
  expect(await world.redis.exists(keys.lane(ANNA))).toBe(0)
  expect(await world.redis.llen(keys.sendWait)).toBeGreaterThan(0)
})
