// That the bench runs from end to end and fills its table. Never what the figures are: tests share their machine.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess } from '@wechat-outbox/sandbox'
import { expect, it } from 'vitest'
import { CATALOGUE } from '../src/catalogue.ts'
import { figuresOf, PAGE_URL, type Results, readResults, withFigures } from '../src/results.ts'

it('measures everything once in a quick run', { timeout: 600_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'wxo-bench-test-'))
  const jsonFile = join(dir, 'figures.json')
  const args = [join(import.meta.dirname, '../src/main.ts'), '--quick', '--json', jsonFile]
  const bench = startProcess({ args })
  const end = await bench.exited
  expect(end, bench.stderr()).toEqual({ code: 0, signal: null })
  const { rows } = JSON.parse(await readFile(jsonFile, 'utf8')) as Results
  await rm(dir, { recursive: true, force: true })
  const made = rows.map(({ name }) => name)
  const wanted = CATALOGUE.filter((each) => !each.isOptional || each.rows.some((name) => made.includes(name)))
  expect(made).toEqual(wanted.flatMap((each) => each.rows))
  for (const row of rows) expect(bench.stdout()).toContain(row.what)
})

it('refuses a measurement that does not exist', async () => {
  const bench = startProcess({ args: [join(import.meta.dirname, '../src/main.ts'), '--only', 'nothing'] })
  expect(await bench.exited).toEqual({ code: 2, signal: null })
  expect(bench.stderr()).toContain('there is no measurement nothing')
})

it('shows on its page the figures that are kept', async () => {
  const results = readResults()
  expect(results?.rows.length).toBeGreaterThan(0)
  const page = await readFile(PAGE_URL, 'utf8')
  expect(withFigures(page, figuresOf(results as Results))).toBe(page)
})
