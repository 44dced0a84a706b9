import { expect, it, vi } from 'vitest'
import { createWatchdog } from '../../src/worker/watchdog.ts'

it('tells once that work waits and none is fetched', async () => {
  const onStuck = vi.fn()
  const watchdog = createWatchdog({ idleMs: 60, hasWork: () => true, onStuck })
  await vi.waitFor(() => expect(onStuck).toHaveBeenCalled(), 5000)
  // When one that begins now has told, the first has had the time to tell again.
  const onOther = vi.fn()
  const other = createWatchdog({ idleMs: 60, hasWork: () => true, onStuck: onOther })
  await vi.waitFor(() => expect(onOther).toHaveBeenCalled(), 5000)
  watchdog.stop()
  other.stop()
  expect(onStuck).toHaveBeenCalledTimes(1)
})

it('is content while something is in flight and while nothing waits', async () => {
  const looks = { busy: 0, idle: 0 }
  const onStuck = vi.fn()
  const flight = Promise.withResolvers<string>()
  const watch = (name: keyof typeof looks, hasWork: boolean) =>
    createWatchdog({
      idleMs: 60,
      onStuck,
      hasWork: () => {
        looks[name] += 1
        return hasWork
      },
    })
  const busy = watch('busy', true)
  const ended = busy.watching(flight.promise)
  const clock = watch('idle', false)
  // The busy one does not even look: what is in flight says enough.
  await vi.waitFor(() => expect(looks.idle).toBeGreaterThan(20), 10_000)
  expect(onStuck).not.toHaveBeenCalled()
  flight.resolve('sent')
  expect(await ended).toBe('sent')
  await vi.waitFor(() => expect(onStuck).toHaveBeenCalledTimes(1), 5000)
  busy.stop()
  clock.stop()
})
