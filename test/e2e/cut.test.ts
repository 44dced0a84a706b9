// An end that takes too long for somebody: the second signal breaks the calls off, and their messages go on by what is known.
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { type System, startSystem, text } from './support/system.ts'

let system: System
beforeEach(async () => {
  // Calls that would last for a minute, and leases that outlive the test: only their own worker can settle them.
  system = await startSystem({
    env: { SEND_TIMEOUT_MS: '60000', STALLED_AFTER_MS: '120000', SHUTDOWN_TIMEOUT_MS: '60000' },
  })
})
afterEach(() => system.close())

it('a signal again, seconds later, settles open calls as unsure and ends the worker with 0', async () => {
  const [worker] = system.workers
  if (worker === undefined) throw new Error('no worker')
  await system.fake.fault({ fault: { name: 'latency', minMs: 50_000, maxMs: 50_000 } })
  const again = await system.outbox.send(text('o-again', 'again'))
  const dead = await system.outbox.send({ ...text('o-dead', 'dead'), ifUnsure: 'dead-letter' })
  await vi.waitFor(async () => expect(await system.fake.sends()).toHaveLength(2), 10_000)
  process.kill(worker.pid, 'SIGTERM')
  await worker.waitForLine(/"process.stopping"/)
  // Until it is taken for another wish: no test knows when the two seconds of another process are over.
  const repeat = setInterval(() => process.kill(worker.pid, 'SIGTERM'), 200)
  onTestFinished(() => clearInterval(repeat))
  await worker.waitForLine(/"process.cut-short"/)
  clearInterval(repeat)
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(await system.outbox.status(again.id)).toMatchObject({ status: 'retrying', attempts: [{ outcome: 'unsure' }] })
  expect(await system.outbox.status(dead.id)).toMatchObject({ status: 'dead' })
  await system.fake.clearFaults()
  await system.worker()
  await vi.waitFor(async () => expect((await system.outbox.status(again.id))?.status).toBe('delivered'), 10_000)
}, 60_000)
