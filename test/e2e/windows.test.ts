// Reply windows against WeChat’s own: nobody is written to in vain but where the feed of actions or WeChat itself surprises, and
// what waits goes in order with the user’s next action.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type System, startSystem } from './support/system.ts'
import { runWindows } from './support/windows-run.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

let system: System
beforeAll(async () => {
  system = await startSystem({ workers: 2 })
})
afterAll(() => system?.close())

it('a feed that is lost, late, early and doubled costs at most a call for each surprise', async () => {
  const { surprises, releasedMs: _, ...result } = await runWindows(system, { people: 30, messages: 600, seed: 7 })
  for (const count of Object.values(surprises)) expect(count).toBeGreaterThan(0)
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 600, doubles: 0 })
  // One that comes twice surprises nobody.
  const { lost, late, early, closed } = surprises
  expect(result.refused).toBeLessThanOrEqual(lost + late + early + closed)
})

it('a worker that is killed loses, doubles out of doubt and reorders no more than without windows', async () => {
  const disturb = async (at: System, round: number): Promise<void> => {
    if (round % 6 !== 3) return
    await at.workers.shift()?.kill9()
    await at.worker()
  }
  const result = await runWindows(system, { people: 20, messages: 400, seed: 11, disturb })
  expect(result).toMatchObject({ outOfOrder: 0, delivered: 400 })
})
