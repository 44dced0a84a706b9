/** Runs the bench in a process of its own, as small as it gets, and looks for a row of everything that was asked for. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess } from '@wechat-outbox/sandbox'
import { expect } from 'vitest'
import { CATALOGUE } from '../../src/catalogue.ts'
import type { Results } from '../../src/results.ts'

export const BENCH = join(import.meta.dirname, '../../src/main.ts')

/** `names`: measurements, none for all. */
export async function expectMeasured(names: readonly string[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-bench-test-'))
  const jsonFile = join(dir, 'figures.json')
  const bench = startProcess({
    args: [BENCH, '--quick', '--json', jsonFile, ...names.flatMap((name) => ['--only', name])],
  })
  const end = await bench.exited
  expect(end, bench.stderr()).toEqual({ code: 0, signal: null })
  const { rows } = JSON.parse(await readFile(jsonFile, 'utf8')) as Results
  await rm(dir, { recursive: true, force: true })
  const made = rows.map(({ name }) => name)
  const asked = CATALOGUE.filter(({ name }) => names.length === 0 || names.includes(name))
  const wanted = asked.filter((each) => !each.isOptional || each.rows.some((name) => made.includes(name)))
  expect(made.length).toBeGreaterThan(0)
  expect(made).toEqual(wanted.flatMap((each) => each.rows))
  for (const row of rows) expect(bench.stdout()).toContain(row.what)
}
