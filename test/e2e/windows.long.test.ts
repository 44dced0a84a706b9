// The whole size: 200 people, 5,000 messages, with workers and gateways that are killed, and without.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type System, startSystem } from './support/system.ts'
import { startPushedGateway } from './support/wechat-push.ts'
import { runWindows } from './support/windows-run.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 })

let system: System
beforeEach(async () => {
  system = await startSystem({ workers: 2 })
})
afterEach(() => system?.close())

const RUN = { people: 200, messages: 5000 } as const

it.each([20261128, 4711])('nobody is written to in vain but for a reason, seed %i', async (seed) => {
  const result = await runWindows(system, { ...RUN, seed })
  console.log(JSON.stringify({ seed, ...result }))
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 5000, doubles: 0 })
  expect(result.unexplained).toEqual([])
  expect(result.inRowMax).toBeLessThanOrEqual(4)
})

it('nothing is lost, stuck or out of order while workers are killed, and gateways while WeChat pushes', async () => {
  const gateway = await startPushedGateway(system)
  const disturb = async (at: System, round: number): Promise<void> => {
    if (round % 10 === 2) return gateway.kill9()
    if (round % 10 !== 5) return
    await at.workers.shift()?.kill9()
    await at.worker()
  }
  const result = await runWindows(system, { ...RUN, seed: 11, disturb, push: gateway.push })
  console.log(JSON.stringify({ failedPushes: gateway.failed(), ...result }))
  expect(gateway.failed()).toBeGreaterThan(0)
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 5000 })
  expect(result.unexplained).toEqual([])
})
