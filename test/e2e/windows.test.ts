// Reply windows against WeChat’s own: nobody is written to in vain but where the feed of actions or WeChat itself surprises, and
// what waits goes in order with the user’s next action.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'
import { runWindows } from './support/windows-run.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

let system: System
beforeAll(async () => {
  system = await startSystem({ workers: 2 })
})
afterAll(() => system?.close())

it('a feed that is lost, late, early and doubled costs at most a call for each surprise', async () => {
  const result = await runWindows(system, { people: 30, messages: 600, seed: 7 })
  for (const count of Object.values(result.surprises)) expect(count).toBeGreaterThan(0)
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 600, doubles: 0 })
  expect(result.refusedFirst).toBeLessThanOrEqual(result.explained)
  // Within ten seconds of the action a refused message is called again, three times at most.
  expect(result.inRowMax).toBeLessThanOrEqual(4)
})

it('a worker that is killed loses, doubles out of doubt and reorders no more than without windows', async () => {
  const disturb = async (at: System, round: number): Promise<void> => {
    if (round % 6 !== 3) return
    await at.workers.shift()?.kill9()
    await at.worker()
  }
  const result = await runWindows(system, { people: 20, messages: 400, seed: 11, disturb })
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 400 })
  expect(result.refusedFirst).toBeLessThanOrEqual(result.explained)
})

it('what waits for its user goes when WeChat tells the gateway that the user wrote', async () => {
  const token = 'onlyForThisTest4711'
  const touser = 'o-pushed'
  const gateway = await system.gateway({ PUSH_TOKEN: token })
  await system.fake.user(touser, 'close')
  const { id } = await system.outbox.send({ ...text(touser, 'an answer'), onClosed: 'hold' })
  const status = async () => (await system.outbox.status(id))?.status
  await vi.waitFor(async () => expect(await status()).toBe('waiting-for-user'), { timeout: 15_000, interval: 50 })
  await system.fake.user(touser, 'message')
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHash('sha1').update([token, timestamp, '1'].toSorted().join('')).digest('hex')
  const query = new URLSearchParams({ signature, timestamp, nonce: '1' }).toString()
  const body = `<xml><FromUserName>${touser}</FromUserName><CreateTime>${timestamp}</CreateTime><MsgType>text</MsgType><MsgId>24563721467123456789</MsgId></xml>`
  const answer = await fetch(`${gateway}/v1/apps/${APP}/push?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'text/xml' },
    body,
  })
  expect([answer.status, await answer.text()]).toEqual([200, 'success'])
  await vi.waitFor(async () => expect(await status()).toBe('delivered'), { timeout: 15_000, interval: 50 })
})
