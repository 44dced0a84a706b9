// That the bench runs and fills its table. Never what the figures are: tests share their machine. Everything is measured in
// `bench.long.test.ts`.
import { readFile } from 'node:fs/promises'
import { startProcess } from '@wechat-outbox/sandbox'
import { expect, it } from 'vitest'
import { figuresOf, PAGE_URL, type Results, readResults, withFigures } from '../src/results.ts'
import { BENCH, expectMeasured } from './support/measured.ts'

it('measures what it is asked for once in a quick run', { timeout: 120_000 }, async () => {
  await expectMeasured(['sends', 'enqueue-bulk', 'replay'])
})

it('refuses a measurement that does not exist', async () => {
  const bench = startProcess({ args: [BENCH, '--only', 'nothing'] })
  expect(await bench.exited).toEqual({ code: 2, signal: null })
  expect(bench.stderr()).toContain('there is no measurement nothing')
})

it('shows on its page the figures that are kept', async () => {
  const results = readResults()
  expect(results?.rows.length).toBeGreaterThan(0)
  const page = await readFile(PAGE_URL, 'utf8')
  expect(withFigures(page, figuresOf(results as Results))).toBe(page)
})
