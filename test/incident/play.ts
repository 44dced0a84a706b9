/**
 * What an operator does about the incident of `scene.ts`, from the alert to the last delivered message, step by step: each with its
 * command, its time, and a check of what has come of it, at the fake WeChat wherever messages go out. A step that fails does not
 * end the play, so that the table is whole.
 */
import { openDesk, type RunWxo } from './desk.ts'
import { endSteps } from './end-steps.ts'
import { lookSteps } from './look-steps.ts'
import { replaySteps } from './replay-steps.ts'
import type { Scene } from './scene.ts'
import type { Play, Step } from './step.ts'
import type { Row } from './table.ts'

export interface Played {
  readonly rows: readonly Row[]
  /** From the alert to the last message that the fake WeChat took. */
  readonly seconds: number
}

export async function playIncident(scene: Scene, runWxo: RunWxo, onRow: (row: Row) => void): Promise<Played> {
  const { fake } = scene.system
  const { sends: seq } = await fake.summary()
  const desk = openDesk(scene, runWxo)
  const play: Play = { scene, desk, excluded: scene.people.recent[1] ?? '', seq, tasks: [], logged: [] }
  const began = Date.now()
  const rows: Row[] = []
  for (const step of [...lookSteps(play), ...replaySteps(play), ...endSteps(play)]) {
    const row = await take(step)
    rows.push(row)
    onRow(row)
  }
  const last = (await fake.sends()).findLast(({ accepted }) => accepted)
  return { rows, seconds: ((last?.at ?? Number.NaN) - began) / 1000 }
}

async function take({ task, command, run }: Step): Promise<Row> {
  const began = performance.now()
  const row = (checked: string, state: Row['state']): Row => ({
    task,
    command,
    seconds: (performance.now() - began) / 1000,
    checked,
    state,
  })
  try {
    return row(await run(), 'ok')
  } catch (error) {
    return row(error instanceof Error ? error.message : String(error), 'failed')
  }
}
