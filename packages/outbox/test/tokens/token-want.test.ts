// A token that is wanted by who cannot fetch one: the gateway.
import { expect, it, vi } from 'vitest'
import { locked, other, put, tokens, useTokenStores, world } from '../support/token-stores.ts'
import { keys } from '../support/world.ts'

useTokenStores()

it('a wanted token is heard of by whoever listens, and hopeless where nobody does', async () => {
  expect(await tokens.want()).toBe(false)
  const [news, wanted] = [vi.fn(), vi.fn()]
  const end = other.listen(news, wanted)
  await vi.waitFor(() => expect(news).toHaveBeenCalled(), 5000)
  expect(await tokens.want()).toBe(true)
  await vi.waitFor(() => expect(wanted).toHaveBeenCalledTimes(1), 5000)
  end()
})

it('a wanted token is hopeless for as long as a failure is remembered', async () => {
  const end = other.listen(() => undefined)
  await vi.waitFor(async () => expect(await tokens.want()).toBe(true), 5000)
  await (await locked(tokens)).fail({ detail: 'down' }, { firstMs: 15_000, mostMs: 15_000 })
  expect(await tokens.want()).toBe(false)
  end()
})

it('a report takes a refusal of the value that stands there, of no other, and no second one within a minute', async () => {
  const end = other.listen(() => undefined)
  await vi.waitFor(async () => expect(await tokens.want()).toBe(true), 5000)
  await put('one')
  expect(await tokens.want('zero')).toBe(true)
  expect((await tokens.read())?.refused).toBe(false)
  expect(await tokens.want('one')).toBe(true)
  expect((await tokens.read())?.refused).toBe(true)
  expect(await tokens.want('one')).toBe(true)
  await put('two')
  expect(await tokens.want('two')).toBe(false)
  expect((await tokens.read())?.refused).toBe(false)
  expect(await world.redis.pttl(keys.tokenDoubted)).toBeGreaterThan(50_000)
  await world.redis.del(keys.tokenDoubted)
  expect(await tokens.want('two')).toBe(true)
  expect((await tokens.read())?.refused).toBe(true)
  end()
})
