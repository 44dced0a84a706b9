import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { within } from '../src/within.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('gives what the promise gives, and leaves no timer behind', async () => {
  expect(await within(Promise.resolve('done'), 1000, 'late')).toBe('done')
  expect(vi.getTimerCount()).toBe(0)
})

it('fails as the promise does, and leaves no timer behind', async () => {
  await expect(within(Promise.reject(new Error('broken')), 1000, 'late')).rejects.toThrow('broken')
  expect(vi.getTimerCount()).toBe(0)
})

it('gives the other value once the time is over, and not before', async () => {
  const answers: string[] = []
  const waiting = within(new Promise<never>(() => undefined), 1000, 'late').then((answer) => answers.push(answer))
  await vi.advanceTimersByTimeAsync(999)
  expect(answers).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  await waiting
  expect(answers).toEqual(['late'])
})

it('lets nobody hear of a failure that comes too late', async () => {
  const unheard: unknown[] = []
  const hear = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  const { promise, reject } = Promise.withResolvers<string>()
  const waiting = within(promise, 1000, 'late')
  await vi.advanceTimersByTimeAsync(1000)
  expect(await waiting).toBe('late')
  reject(new Error('broken'))
  vi.useRealTimers()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  expect(unheard).toEqual([])
})
