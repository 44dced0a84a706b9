/** The arguments of `start`. */
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Options {
  /** Run the samples to their end, print a summary, and exit. */
  readonly once: boolean
  /** What is kept between two starts: Redis's files and the log. `.data` in the repository, wherever it is started from. */
  readonly dataDir: string
  readonly help: boolean
}

export const USAGE = `usage: start [--once] [--data-dir DIR]

  --once          sandbox only: run the samples to their end, print a summary, exit (1 if an outcome is missing)
  --data-dir DIR  where Redis and the log keep their files; default .data in the repository`

const DEFAULT_DATA_DIR = resolve(import.meta.dirname, '../../../.data')

/** @throws TypeError for arguments that mean nothing */
export function readOptions(args: readonly string[]): Options {
  // A package manager may hand over the `--` that separated its own options.
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== '--'),
    options: {
      once: { type: 'boolean', default: false },
      'data-dir': { type: 'string', default: DEFAULT_DATA_DIR },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  return { once: values.once, dataDir: resolve(values['data-dir']), help: values.help }
}

/** A path as a person at this prompt would write it. */
export function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere
}

/** The same as a word of a shell. */
export function shellPath(path: string): string {
  const shown = shownPath(path)
  return /^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
}
