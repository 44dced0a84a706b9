// A receiver that is away for a while: pauses of a quarter of a minute and more.
import { expect, it, vi } from 'vitest'
import { CALLBACK_SECRET, startReceiver } from './support/receiver.ts'
import { startSystem, text } from './support/system.ts'

const until = (check: () => unknown, timeout = 60_000) => vi.waitFor(check, { timeout, interval: 100 })

it('is told of what happened while it was away', async () => {
  const away = await startReceiver()
  const { url } = away
  await away.close()
  const env = { CALLBACK_URL: url, CALLBACK_SECRET, CALLBACK_ALLOWED_HOSTS: '127.0.0.1' }
  const system = await startSystem({ env })
  const receipts = await system.outbox.sendMany(Array.from({ length: 50 }, (_, n) => text(`o-${n}`, 'x')))
  const ids = receipts.flatMap((one) => ('id' in one ? [one.id] : []))
  for (const id of ids) await until(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'))
  await until(() => expect(system.output()).toContain('"callbacks.held"'))
  const back = await startReceiver(Number(new URL(url).port))
  await until(() => expect([...back.taken().keys()].toSorted()).toEqual(ids.toSorted()), 150_000)
  expect(system.output()).toContain('"callbacks.resumed"')
  await system.close()
  await back.close()
}, 240_000)
