/** The process `wxo`: one command, its exit code, and an end by itself once its connections are closed. */
import { CommanderError } from 'commander'
import { processTerminal } from './confirm.ts'
import { EXIT, failureOf, failureText } from './failure.ts'
import { createOutput } from './output.ts'
import { type Act, createProgram } from './program.ts'
import { createSession } from './session.ts'

// `wxo dead ls | head` closes the pipe early: the rest of the output is not wanted.
process.stdout.on('error', ignoreClosedPipe)
process.stderr.on('error', ignoreClosedPipe)

const act: Act = async (command) => {
  const session = createSession(process.env, createOutput(isJson(), process))
  try {
    process.exitCode = (await command(session, processTerminal())) ?? EXIT.done
  } finally {
    await session.close()
  }
}

const program = createProgram(act)
const isJson = (): boolean => program.opts<{ json?: boolean }>().json ?? false

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = error instanceof CommanderError ? exitCodeOf(error) : report(error)
}

/**
 * commander has printed its own message by then; its help, asked for, is no failure. What it has not parsed is searched for the
 * word.
 */
function exitCodeOf(error: CommanderError): number {
  if (error.exitCode === 0) return EXIT.done
  const output = createOutput(process.argv.includes('--json'), process)
  if (output.json) output.document({ error: { code: 'USAGE', message: error.message.replace(/^error: /, '') } })
  return EXIT.usage
}

function report(error: unknown): number {
  const { exitCode, ...failure } = failureOf(error)
  const output = createOutput(isJson(), process)
  const text = failureText({ exitCode, ...failure })
  output.note(`wxo: ${text}`)
  if (output.json) output.document({ error: failure })
  return exitCode
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
