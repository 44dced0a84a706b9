// Reply windows against WeChat’s own: nobody is written to in vain but where the feed of actions or WeChat itself surprises, and
// what waits goes in order with the user’s next action.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type System, startSystem, text } from './support/system.ts'
import { startPushedGateway } from './support/wechat-push.ts'
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
  expect(result.unexplained).toEqual([])
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
  expect(result.unexplained).toEqual([])
})

it('what waits for its user goes when WeChat tells the gateway that the user wrote', async () => {
  const { push } = await startPushedGateway(system)
  const touser = 'o-pushed'
  await system.fake.user(touser, 'close')
  const { id } = await system.outbox.send({ ...text(touser, 'an answer'), onClosed: 'hold' })
  const status = async () => (await system.outbox.status(id))?.status
  await vi.waitFor(async () => expect(await status()).toBe('waiting-for-user'), { timeout: 15_000, interval: 50 })
  await system.fake.user(touser, 'message')
  await push({ touser, id: '24563721467123456789', at: Date.now() })
  await vi.waitFor(async () => expect(await status()).toBe('delivered'), { timeout: 15_000, interval: 50 })
})

it('WeChat’s pushes feed the ledger although the gateway is killed while they come', async () => {
  const gateway = await startPushedGateway(system)
  const result = await runWindows(system, {
    people: 20,
    messages: 300,
    seed: 13,
    push: gateway.push,
    disturb: async (_system, round) => (round % 4 === 2 ? gateway.kill9() : undefined),
  })
  expect(gateway.failed()).toBeGreaterThan(0)
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 300, doubles: 0 })
  expect(result.unexplained).toEqual([])
})
