import { beforeEach, expect, it } from 'vitest'
import { type CredentialAnswer, checkCredential } from '../../src/tokens/credential-check.ts'
import { createTokenStore } from '../../src/tokens/token-store.ts'
import { APP, keys, sharedWorld } from '../support/world.ts'

const world = sharedWorld({ isFlushed: true })
let asked = 0
beforeEach(() => {
  asked = 0
})

const REFUSED = { kind: 'refused', errcode: 40125, detail: 'invalid appsecret' } as const
const check = (answer: CredentialAnswer | Promise<CredentialAnswer> = REFUSED) =>
  checkCredential(world.store, APP, () => {
    asked += 1
    return Promise.resolve(answer)
  })

it('asks once a minute, whoever looks, and remembers the answer for as long', async () => {
  expect(await check()).toEqual({ kind: 'answered', answer: REFUSED, msAgo: 0, againInMs: 60_000 })
  const again = await check({ kind: 'works' })
  expect(again).toMatchObject({ kind: 'answered', answer: REFUSED })
  expect(again.againInMs).toBeLessThanOrEqual(60_000)
  expect(asked).toBe(1)
  expect(await world.redis.pttl(keys.tokenChecked)).toBeGreaterThan(30_000)
  await world.redis.del(keys.tokenChecked)
  expect(await check({ kind: 'works' })).toMatchObject({ answer: { kind: 'works' } })
  expect(await check()).toMatchObject({ answer: { kind: 'works' } })
})

it('says that another is asking, and does not ask beside it', async () => {
  const { promise, resolve } = Promise.withResolvers<CredentialAnswer>()
  const first = check(promise)
  await expect.poll(() => asked).toBe(1)
  expect(await check()).toMatchObject({ kind: 'busy' })
  resolve({ kind: 'works' })
  expect(await first).toMatchObject({ kind: 'answered', answer: { kind: 'works' } })
  expect(asked).toBe(1)
})

it('asks nobody while the workers remember a failure, and leaves their token and their lock alone', async () => {
  const tokens = createTokenStore(world.store, APP)
  const claimed = await tokens.claim({ mode: 'need', lockMs: 5000, aheadMs: 0 })
  if (claimed.kind !== 'lock') throw new Error('no lock')
  await check({ kind: 'works' })
  expect(await world.redis.keys(`${keys.token}*`)).toEqual(expect.arrayContaining([keys.tokenLock, keys.tokenChecked]))
  await claimed.lock.fail({ errcode: 40164, detail: 'no' }, { firstMs: 60_000, mostMs: 60_000 })
  expect(await check()).toMatchObject({ kind: 'workers-failed', failure: { errcode: 40164, detail: 'no' } })
  await world.redis.hset(keys.tokenFailure, 'until', '1')
  expect(await check()).toMatchObject({ kind: 'answered', answer: { kind: 'works' } })
  expect(asked).toBe(1)
  expect(await tokens.read()).toBeNull()
})

it('takes what other hands have written for no answer', async () => {
  for (const kept of ['nonsense', '7', '{"at":"x","answer":{"kind":"perfect"}}', 'null']) {
    await world.redis.set(keys.tokenChecked, kept)
    expect(await check()).toMatchObject({ kind: 'busy' })
  }
  await world.redis.set(keys.tokenChecked, '{"answer":{"kind":"refused","errcode":"x","detail":{}}}')
  expect(await check()).toMatchObject({ kind: 'answered', answer: { kind: 'refused' } })
})
