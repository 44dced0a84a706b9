/**
 * `pnpm bench`: what the outbox costs, each figure beside its baseline in one run. Machines differ and are never quiet, so only
 * ratios count, and both sides are measured in turns.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { endWithParent } from '@wechat-outbox/sandbox'
import { CATALOGUE } from './catalogue.ts'
import { readMachine } from './machine.ts'
import { type BenchOptions, readOptions } from './options.ts'
import { mergeResults, type Results, readResults, writeResults } from './results.ts'
import type { Row } from './row.ts'
import { runAll } from './run-all.ts'
import { machineLine, tableOf } from './table.ts'

/** In a quick run nothing is measured, so nothing is disturbed either. */
const QUICK_AT_ONCE = 4

const print = (text: string): void => void process.stdout.write(`${text}\n`)

function readOptionsOrExit(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return process.exit(2)
  }
}

const { measurements, quick, turns, part, jsonFile } = readOptionsOrExit()
const cache = quick ? mkdtempSync(join(tmpdir(), 'wxo-bench-cache-')) : undefined
// Half a hundred short processes: what they compile, they compile once.
if (cache !== undefined) process.env['NODE_COMPILE_CACHE'] = cache
process.once('exit', () => cache !== undefined && rmSync(cache, { recursive: true, force: true }))
/** Fewer messages than the words say are said beside them. */
const noteOf = ({ note }: Row): { note?: string } =>
  part === 1 ? {} : { note: [note, `with ${part} of the messages`].filter(Boolean).join(', ') }
const progress = (text: string): void => void process.stderr.write(`${text}\n`)
const running = runAll(measurements, { quick, turns, part, progress }, quick ? QUICK_AT_ONCE : 1)
const stop = (): void => void running.close().finally(() => process.exit(130))
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
await endWithParent(stop)

try {
  const rows = await running.rows
  const measuredOn = new Date().toISOString().slice(0, 10)
  const results: Results = {
    machine: await readMachine(),
    rows: rows.map((row) => ({ ...row, ...noteOf(row), measuredOn })),
  }
  print(`${machineLine(results.machine)}\n\n${tableOf(results.rows)}`)
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  const order = CATALOGUE.flatMap((each) => each.rows)
  if (!quick) writeResults(mergeResults(readResults(), results, order))
  process.exit(0)
} catch (error) {
  progress(inspect(error))
  await running.close()
  process.exit(1)
}
