import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectRedis, whenReady } from '../../src/redis/connection.ts'
import { runScript } from '../../src/redis/scripts.ts'
import { addJob, execute, openStore, removeJob, type Store } from '../../src/redis/store.ts'
import { APP, createWorld, keys, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

it('finds its scripts in a transaction after one that was aborted, which never ran what it was sent', async () => {
  const redis = connectRedis(world.url, 'operate')
  await whenReady(redis, 2000)
  await world.redis.script('FLUSH')
  const store = await openStore(redis)
  const build = (on: Store) => {
    const multi = on.multi()
    void runScript(multi, {
      name: 'unlane',
      keys: [keys.lane('o-aborted'), keys.heldLanes],
      args: ['m-none', keys.sendJobs],
    })
    addJob(multi, on.backend(APP, 'send'), { id: 'm-aborted', name: 'text', data: {}, timestamp: Date.now() })
    removeJob(multi, on.backend(APP, 'send'), 'm-other')
    return multi
  }
  await redis.watch('o-watched')
  await world.redis.set('o-watched', 'changed')
  expect(await execute(build(store))).toBeNull()
  expect(await execute(build(store))).toEqual([null, 'm-aborted', 1])
  redis.disconnect()
})
