/** One command, run to its end with its output collected: what `check` and the tests of the packages build on. */
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..')

export interface Finished {
  readonly ok: boolean
  /** stdout and stderr, in the order in which they came. */
  readonly output: string
  readonly durationMs: number
}

export interface RunOptions {
  readonly cwd?: string
  /** Laid over the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** Ended after this long. Default: five minutes. */
  readonly timeoutMs?: number
}

/** Runs a program, looked for in `node_modules/.bin` first. Never rejects: what cannot be started has failed. */
export function run(
  command: readonly string[],
  { cwd = ROOT, env, timeoutMs = 300_000 }: RunOptions = {},
): Promise<Finished> {
  const [program = '', ...args] = command
  const PATH = [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  const started = performance.now()
  return new Promise((resolve) => {
    let output = ''
    const finish = (ok: boolean): void => resolve({ ok, output, durationMs: performance.now() - started })
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
    child.once('error', (error) => {
      output += error.message
      finish(false)
    })
    child.once('close', (code, signal) => {
      if (signal !== null) output += `\nended by ${signal} after ${Math.round(performance.now() - started)} ms`
      finish(code === 0)
    })
  })
}
