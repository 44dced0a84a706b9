/** The command line: `bench [--quick] [--only NAME …] [--turns N] [--part SHARE] [--json FILE]`. */
import { parseArgs } from 'node:util'
import { CATALOGUE } from './catalogue.ts'
import type { Measurement } from './measurement.ts'

export interface BenchOptions {
  readonly measurements: readonly Measurement[]
  readonly quick: boolean
  readonly turns: number
  readonly part: number
  readonly jsonFile: string | undefined
}

const USAGE = `usage: bench [--quick] [--only NAME]… [--turns N] [--part SHARE] [--json FILE]

  --quick   only to see that everything runs: small, several at once, and the figures mean nothing
  --only    ${CATALOGUE.map(({ name }) => name).join(', ')}
  --turns   how often each side is measured; 5 by default
  --part    with this share of the messages, above 0 and up to 1; the table says so
  --json    writes the figures there too

Without --quick the figures replace those of the same name in docs/benchmarks.json and docs/benchmarks.md.`

/** @throws Error with the usage */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    // A package manager may hand over the `--` that separated its own options.
    args: args.filter((arg) => arg !== '--'),
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      turns: { type: 'string' },
      part: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  })
  const turns = Number(values.turns ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(turns) || turns < 1) throw new Error(`--turns must be a whole number, 1 or more\n\n${USAGE}`)
  const part = Number(values.part)
  if (!(part > 0 && part <= 1)) throw new Error(`--part must be above 0 and up to 1\n\n${USAGE}`)
  const unknown = values.only.find((name) => CATALOGUE.every((each) => each.name !== name))
  if (unknown !== undefined) throw new Error(`there is no measurement ${unknown}\n\n${USAGE}`)
  const measurements = CATALOGUE.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  return { measurements, quick: values.quick, turns, part, jsonFile: values.json }
}
