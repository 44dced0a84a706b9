/**
 * Where figures are kept: `docs/benchmarks.json`, and the table made of it in `docs/benchmarks.md`, between two marks, so that what a
 * person has written around it stays. A row that is measured again replaces its predecessor; figures of another machine or of other
 * versions are not kept beside new ones.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Machine } from './machine.ts'
import type { Row } from './row.ts'
import { machineLine, tableOf } from './table.ts'

export interface Results {
  readonly machine: Machine
  readonly rows: readonly (Row & { readonly measuredOn: string })[]
}

const RESULTS_URL = new URL('../../../docs/benchmarks.json', import.meta.url)
export const PAGE_URL = new URL('../../../docs/benchmarks.md', import.meta.url)

const BEGIN = '<!-- figures: written by the bench -->'
const END = '<!-- end of figures -->'

export function readResults(): Results | undefined {
  try {
    return JSON.parse(readFileSync(RESULTS_URL, 'utf8')) as Results
  } catch {
    return undefined
  }
}

/** `order` names all rows there can be; what is no longer among them goes. */
export function mergeResults(before: Results | undefined, now: Results, order: readonly string[]): Results {
  const isSame = JSON.stringify(before?.machine) === JSON.stringify(now.machine)
  const rows = new Map([...(isSame ? (before?.rows ?? []) : []), ...now.rows].map((row) => [row.name, row]))
  return { machine: now.machine, rows: order.flatMap((name) => rows.get(name) ?? []) }
}

export function figuresOf({ machine, rows }: Results): string {
  const days = [...new Set(rows.map(({ measuredOn }) => measuredOn))].toSorted()
  return [BEGIN, `${machineLine(machine)}. Measured ${days.join(', ')}.`, tableOf(rows), END].join('\n\n')
}

/** @throws Error when the page has lost its marks */
export function withFigures(page: string, figures: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error('docs/benchmarks.md has no place for the figures')
  return page.slice(0, begin) + figures + page.slice(end + END.length)
}

export function writeResults(results: Results): void {
  const page = withFigures(readFileSync(PAGE_URL, 'utf8'), figuresOf(results))
  writeFileSync(RESULTS_URL, `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(PAGE_URL, page)
}
