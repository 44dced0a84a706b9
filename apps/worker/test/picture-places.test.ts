import { createGate } from '@wechat-outbox/wechat'
import { expect, it } from 'vitest'
import { createPicturePlaces } from '../src/picture-places.ts'

const never = new AbortController().signal
const hangs = () => new Promise<string>(() => {})
const arrives = () => Promise.resolve('there')
const started = (run: () => Promise<string>) => {
  const state = { count: 0, run: () => ((state.count += 1), run()) }
  return state
}

it('a server that is slow leaves a place to the others of its app, whatever its port is written like', async () => {
  const places = createPicturePlaces(createGate(16))
  const slow = started(hangs)
  for (let n = 0; n < 40; n += 1) void places.inPlace(`http://Slow.test:80/${n}`, slow.run, never)
  for (let n = 0; n < 20; n += 1) expect(await places.inPlace(`http://good.test/${n}`, arrives, never)).toBe('there')
  expect(slow.count).toBe(4)
})

it('an app whose servers are all slow leaves places to other apps', async () => {
  const shared = createGate(16)
  const [one, other] = [createPicturePlaces(shared), createPicturePlaces(shared)]
  const slow = started(hangs)
  for (let n = 0; n < 40; n += 1) void one.inPlace(`http://slow-${n}.test/`, slow.run, never)
  expect(await other.inPlace('http://good.test/', arrives, never)).toBe('there')
  expect(slow.count).toBe(5)
})

it('who waits for a place leaves when its time is over, and what it left is free', async () => {
  const shared = createGate(1)
  const places = createPicturePlaces(shared)
  const { promise: held, resolve: release } = Promise.withResolvers<string>()
  const first = places.inPlace('http://a.test/', () => held, never)
  const [late, ended] = [started(arrives), new AbortController()]
  const waiting = ['http://a.test/1', 'http://b.test/', 'http://c.test/'].map((url) =>
    places.inPlace(url, late.run, ended.signal),
  )
  ended.abort()
  expect(await Promise.all(waiting)).toEqual([undefined, undefined, undefined])
  expect(await places.inPlace('http://d.test/', late.run, ended.signal)).toBeUndefined()
  release('first')
  expect(await first).toBe('first')
  expect(late.count).toBe(0)
  for (let n = 0; n < 10; n += 1) expect(await places.inPlace(`http://a.test/${n}`, arrives, never)).toBe('there')
})
