// What a page shows: its commands, which are indented by four spaces, and its code blocks; and a shell that runs them one after the other,
// as a reader's terminal does, so that `cd` and `export` hold for what comes after them.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { ROOT } from '../../scripts/run.ts'

export interface ShownPage {
  /** Without the remark behind each, which is a comment for a shell too. */
  readonly commands: readonly string[]
  /** The code blocks in this language. */
  fenced(language: string): readonly string[]
}

export async function readShownPage(path: string): Promise<ShownPage> {
  const text = await readFile(join(ROOT, path), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '')
  return {
    commands: [...prose.matchAll(/^ {4}(.*?)(?: +#.*)?$/gm)].map(([, command = '']) => command),
    fenced: (language) => blocks.flatMap(([, name, code = '']) => (name === language ? [code] : [])),
  }
}

/** The machine's own path: a reader has nothing of ours on theirs. */
export const READERS_PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((entry) => !entry.endsWith('node_modules/.bin'))
  .join(delimiter)

export interface Shell {
  /** stdout and stderr of one command. Commands wait for each other. */
  run(command: string): Promise<{ readonly ok: boolean; readonly output: string }>
  /** Ends the shell. */
  close(): void
}

const END = /\n<ended (\d+)>\n$/

export function openShell(env: Readonly<Record<string, string>>): Shell {
  const shell = spawn('/bin/sh', [], { cwd: ROOT, env: { ...process.env, PATH: READERS_PATH, ...env } })
  let output = ''
  let onOutput = (): void => undefined
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk)
      onOutput()
    })
  }
  shell.once('close', () => {
    output += '\n<ended 1>\n'
    onOutput()
  })
  shell.stdin.write('exec 2>&1\n')
  return {
    run: (command) =>
      new Promise((resolve) => {
        output = ''
        onOutput = () => {
          const code = END.exec(output)?.[1]
          if (code !== undefined) resolve({ ok: code === '0', output: output.replace(END, '') })
        }
        // Nothing may read the commands that come after it.
        shell.stdin.write(`{ ${command}\n} </dev/null\nprintf '\\n<ended %s>\\n' $?\n`)
      }),
    close: () => void shell.kill(),
  }
}
