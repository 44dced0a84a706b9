import { expect, it } from 'vitest'
import { createShares } from '../src/shares.ts'

it('leaves something for the others', () => {
  const places = createShares({ total: 5, each: 2 })
  const given = [1, 2, 3].map(() => places.take(1, ['key a', 'app x']))
  expect(given.map((back) => back !== null)).toEqual([true, true, false])
  // Another key of the same app, and another app of the same key.
  expect(places.take(1, ['key b', 'app x'])).toBeNull()
  expect(places.take(1, ['key a', 'app y'])).toBeNull()
  expect([1, 2, 3].map(() => places.take(1, ['key c', 'app z']) !== null)).toEqual([true, true, false])
  expect(places.take(1, ['key d', 'app w'])).not.toBeNull()
  // All five are taken.
  expect(places.take(1, ['key e', 'app v'])).toBeNull()
  for (const back of given) back?.()
  expect(places.take(2, ['key a', 'app x'])).not.toBeNull()
})

it('takes back once what was given once', () => {
  const bytes = createShares({ total: 10, each: 10 })
  const back = bytes.take(10, ['a'])
  expect(bytes.take(1, ['b'])).toBeNull()
  back?.()
  back?.()
  expect(bytes.take(10, ['a'])).not.toBeNull()
  expect(bytes.take(1, ['a'])).toBeNull()
})
