// The incident of `pnpm incident` with a thirtieth of its messages: every row of its table holds. `wxo` runs in this process here;
// `incident.long.test.ts` plays the whole of it as the command does.
import { afterEach, expect, it } from 'vitest'
import { runCli } from '../../apps/cli/test/world.ts'
import { playIncident } from './play.ts'
import { type Scene, startScene } from './scene.ts'

let scene: Scene | undefined
afterEach(() => scene?.close())

it('an operator meets the incident and ends it, row by row', async () => {
  scene = await startScene(1 / 30, { withPrometheus: false })
  const { rows } = await playIncident(scene, runCli, () => undefined)
  expect(rows.filter(({ state }) => state === 'failed')).toEqual([])
  expect(rows.length).toBe(20)
}, 120_000)
