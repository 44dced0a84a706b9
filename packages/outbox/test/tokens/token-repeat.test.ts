/** A token that WeChat has refused and that its source gives again: it is the current one, and used again after a pause. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { TokenClaim } from '../../src/tokens/token-store.ts'
import { claim as claimOf, other as tokens, useTokenStores, world } from '../support/token-stores.ts'
import { keys } from '../support/world.ts'

useTokenStores()
beforeEach(() => fetched('one', {}))

const claim = (given: Partial<TokenClaim>) => claimOf(tokens, given)
/** Claims, and stores what the source gives. */
async function fetched(value: string, given: Partial<TokenClaim>, pauses?: boolean): Promise<void> {
  const claimed = await claim(given)
  if (claimed.kind !== 'lock') throw new Error(`no lock but ${claimed.kind}`)
  const token = { value, parameter: 'access_token', lifetimeMs: 7_200_000 }
  expect(await claimed.lock.store(pauses === undefined ? token : { ...token, pauses })).toBe(true)
  await claimed.lock.release()
}
const ago = (field: string, ms: number) => world.redis.hset(keys.token, field, String(Date.now() - ms))

describe('a token that comes again', () => {
  it('serves at once the first time, then after pauses that double up to eight seconds', async () => {
    // Its source is asked twice, and once more at the end.
    for (const [seconds, asked] of [
      [0, true],
      [1, true],
      [2, false],
      [4, false],
      [8, false],
      [8, true],
    ] as const) {
      if (asked) await fetched('one', { bad: 'one' })
      else expect(await claim({ bad: 'one' })).toMatchObject({ kind: 'token', token: { value: 'one' } })
      const read = await tokens.read()
      expect(read).toMatchObject({ value: 'one', version: 1, refused: false })
      expect(Math.ceil((read?.pauseMs ?? 0) / 1000)).toBe(seconds)
    }
    expect(await tokens.read()).toMatchObject({ repeats: 6 })
    expect(await claim({ bad: 'one' })).toMatchObject({ kind: 'lock', lock: { isHopeless: true } })
  })

  it('does not pause where nobody’s call was refused, nor when it is only renewed', async () => {
    await fetched('one', { bad: 'one' })
    await fetched('one', { bad: 'one' }, false)
    expect(await tokens.read()).toMatchObject({ repeats: 1, pauseMs: 0 })
    await fetched('one', { mode: 'probe' })
    expect(await tokens.read()).toMatchObject({ repeats: 1, pauseMs: 0 })
  })

  it('is not asked for on account of a call that began before', async () => {
    await fetched('one', { bad: 'one' })
    await ago('repeatedAt', 500)
    expect(await claim({ bad: 'one', badMsAgo: 2000 })).toMatchObject({ kind: 'token', token: { value: 'one' } })
    const later = await claim({ bad: 'one', badMsAgo: 100 })
    expect(later).toMatchObject({ kind: 'lock', lock: { refused: 'one', isHopeless: false } })
  })

  it('is trusted for a while against single refusals, as long as these are no series', async () => {
    await fetched('one', { bad: 'one' })
    await ago('repeatedAt', 30_000)
    expect((await claim({ bad: 'one', wordHoldsMs: 60_000 })).kind).toBe('token')
    await world.redis.hset(keys.token, 'repeats', '2')
    expect((await claim({ bad: 'one', wordHoldsMs: 60_000 })).kind).toBe('lock')
  })

  it('is known to have been refused since the first time', async () => {
    await fetched('one', { bad: 'one' })
    await ago('refusedAt', 61_000)
    const again = await claim({ bad: 'one' })
    expect(again.kind === 'lock' && again.lock.refusedForMs).toBeGreaterThanOrEqual(61_000)
  })

  it('is forgotten when another is stored', async () => {
    await fetched('one', { bad: 'one' })
    await fetched('one', { bad: 'one' })
    await ago('repeatedAt', 30_000)
    await fetched('two', { bad: 'one' })
    const none = { accepted: false, value: 'two', version: 2, repeats: 0, pauseMs: 0, repeatedMsAgo: undefined }
    expect(await tokens.read()).toMatchObject(none)
    const lock = await claim({ bad: 'two' })
    expect(lock.kind === 'lock' && lock.lock.refusedForMs).toBeLessThan(5000)
  })
})

describe('a call that WeChat takes', () => {
  it('ends pause and series for all processes, and leaves the word of the source', async () => {
    await fetched('one', { bad: 'one' })
    await fetched('one', { bad: 'one' })
    const heard: unknown[] = []
    const end = tokens.listen((version) => heard.push(version))
    await vi.waitFor(() => expect(heard).toHaveLength(1), 5000)
    await tokens.prove('one')
    await vi.waitFor(() => expect(heard).toEqual([undefined, undefined]), 5000)
    expect(await tokens.read()).toMatchObject({ repeats: 0, pauseMs: 0, repeatedMsAgo: expect.any(Number) })
    expect(await tokens.read()).toMatchObject({ accepted: true })
    // Nothing is left to forget, and nobody has to hear of it.
    await tokens.prove('one')
    await tokens.prove('other')
    await world.redis.publish(keys.tokenNews, '7')
    await vi.waitFor(() => expect(heard).toEqual([undefined, undefined, 7]), 5000)
    end()
  })
})

it('a token is as old as its value, however often that is stored', async () => {
  await ago('madeAt', 5000)
  await fetched('one', { mode: 'probe' })
  expect((await tokens.read())?.ageMs).toBeGreaterThanOrEqual(5000)
  await fetched('two', { mode: 'probe' })
  expect((await tokens.read())?.ageMs).toBeLessThan(5000)
})
