import { expect, it } from 'vitest'
import { createTokenStore } from '../../src/tokens/token-store.ts'
import { APP, keys, sharedWorld } from '../support/world.ts'

const world = sharedWorld()

it('tells no address out of a failure that an older version has stored', async () => {
  const detail = 'no token at https://tokens.corp.test/hooks/ab12?k=q7'
  const until = Date.now() + 60_000
  await world.redis.hset(keys.tokenFailure, { errcode: '40125', detail, count: 1, at: Date.now(), until, probes: '1' })
  const claimed = await createTokenStore(world.store, APP).claim({ mode: 'need', lockMs: 1000, aheadMs: 0 })
  expect(claimed).toMatchObject({ kind: 'failure', failure: { errcode: 40125, detail: 'no token at ***' } })
})
