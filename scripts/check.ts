/**
 * `pnpm check`: everything that can be said about this repository without running it. All of it runs, whatever fails, and
 * what failed is told at the end; exit 1 then.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPacked } from './load-packed.ts'
import { packAll } from './pack.ts'
import { type Finished, run } from './run.ts'

interface Step {
  readonly name: string
  readonly run: () => Promise<Finished>
}

const step = (name: string, ...command: string[]): Step => ({ name, run: () => run(command) })

/** The packages as they would be published: well-formed, their types found and their code loaded by import and by require. */
async function judgePackages(): Promise<Finished> {
  const folder = await mkdtemp(join(tmpdir(), 'wechat-outbox-packs-'))
  const started = performance.now()
  const judged: Finished[] = []
  try {
    const packed = await packAll(join(folder, 'packs'))
    for (const { tarball } of packed) {
      judged.push(await run(['publint', 'run', tarball, '--strict']))
      judged.push(await run(['attw', tarball, '--no-color', '--no-emoji']))
    }
    judged.push(...(await loadPacked(join(folder, 'use'), packed)))
  } catch (error) {
    judged.push({ ok: false, output: error instanceof Error ? error.message : String(error), durationMs: 0 })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return {
    ok: judged.every(({ ok }) => ok),
    output: judged
      .filter(({ ok }) => !ok)
      .map(({ output }) => output)
      .join('\n'),
    durationMs: performance.now() - started,
  }
}

// Two lines of work at a time; within one, a step may use what the step before has built.
const LANES: readonly (readonly Step[])[] = [
  [step('types', 'tsc', '-p', 'tsconfig.json'), { name: 'packages', run: judgePackages }],
  [
    step('format', 'biome', 'check', '--reporter=summary'),
    step('lint', 'oxlint', '--type-aware', '--deny-warnings'),
    step('unused', 'knip', '--no-config-hints', '--no-progress'),
    step('docs', 'node', 'scripts/docs.ts', '--check'),
  ],
]

const results: { name: string; finished: Finished }[] = []
const print = (text: string): void => void process.stdout.write(`${text}\n`)

async function runLane(lane: readonly Step[]): Promise<void> {
  for (const { name, run: runStep } of lane) {
    const finished = await runStep()
    results.push({ name, finished })
    print(
      `${finished.ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(10)} ${(finished.durationMs / 1000).toFixed(1).padStart(5)} s`,
    )
  }
}

await Promise.all(LANES.map(runLane))

const failed = results.filter(({ finished }) => !finished.ok)
for (const { name, finished } of failed) print(`\n──── ${name} ────\n${finished.output.trim()}`)
print(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.map(({ name }) => name).join(', ')}`)
if (failed.length > 0) process.exitCode = 1
