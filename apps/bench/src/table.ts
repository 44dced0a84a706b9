/** The table, for people: in a terminal and in `docs/benchmarks.md` it is the same Markdown. */
import type { Machine } from './machine.ts'
import { isReached, type Row } from './row.ts'
import type { Spread } from './stats.ts'

const HEAD = ['measured', 'outbox', 'baseline', 'ratio (min–max)', 'target', 'reached']

export function tableOf(rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(HEAD),
    line(['---', '---:', '---:', '---:', '---:', '---']),
    ...rows.map((row) => line(cellsOf(row))),
  ].join('\n')
}

export function machineLine({ cpu, cores, memoryGb, system, versions }: Machine): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${cores} × ${cpu}, ${memoryGb} GB, ${system}; ${names.join(', ')}`
}

function cellsOf(row: Row): string[] {
  const { what, unit, ours, theirs, ratio, target, note } = row
  const reached = isReached(row)
  const goal = target === undefined ? '' : `${target.is === 'at least' ? '≥' : '≤'} ${target.value}`
  // A figure without a ratio shows its own spread.
  const own = `${figure(ours.median)} ${unit}${ratio === undefined ? spread(ours) : ''}`
  return [
    note === undefined ? what : `${what} (${note})`,
    own,
    theirs === undefined ? '' : `${figure(theirs.median)} ${unit}`,
    ratio === undefined ? '' : `**${ratio.median.toFixed(2)}**${spread(ratio)}`,
    goal,
    reached === undefined ? '' : reached ? 'yes' : '**no**',
  ]
}

function spread({ min, max, runs }: Spread): string {
  return runs === 1 ? '' : ` (${figure(min)}–${figure(max)})`
}

/** Three digits are what such a figure is worth. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
