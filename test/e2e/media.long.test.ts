// A worker that dies over an upload: what it had begun ends by itself within some seconds, and another worker does it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type System, startSystem } from './support/system.ts'

const PNG = Buffer.from('\x89PNG\r\n\x1A\n', 'latin1')
const PEOPLE = ['o-kill-1', 'o-kill-2', 'o-kill-3']

const pictures = createServer((_request, response) => void response.end(PNG))
let system: System
let url: string
beforeEach(async () => {
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(pictures.address() as AddressInfo).port}/a.png`
  system = await startSystem({ workers: 2, env: { MEDIA_ALLOWED_HOSTS: '127.0.0.1' } })
})
afterEach(async () => {
  await system?.close()
  pictures.closeAllConnections()
  pictures.close()
})

const uploads = async () => (await system.fake.ledger()).otherCalls

it('a worker that is killed in the middle of an upload loses nothing and holds nothing up', async () => {
  await system.fake.fault({ endpoint: 'media', times: 1, fault: 'hang' })
  const sent = await system.outbox.sendMany(PEOPLE.map((touser) => ({ touser, msgtype: 'image', image: { url } })))
  await vi.waitFor(async () => expect(await uploads()).toMatchObject([{ errcode: null, fault: 'hang' }]), {
    timeout: 20_000,
    interval: 50,
  })
  // Whose upload it is nobody can tell.
  for (const worker of system.workers) await worker.kill9()
  await system.worker()
  for (const result of sent) {
    const status = async () => (await system.outbox.status('id' in result ? result.id : ''))?.status
    await vi.waitFor(async () => expect(await status()).toBe('delivered'), { timeout: 60_000, interval: 100 })
  }
  expect(await uploads()).toMatchObject([{ errcode: null }, { errcode: 0 }])
  const taken = (await system.fake.sends()).map(({ touser }) => touser ?? '')
  expect(taken.toSorted()).toEqual(PEOPLE)
}, 120_000)
