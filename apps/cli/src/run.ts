/**
 * One command line, from its arguments to its exit code. What it reads from and writes to is handed in, so that a test can run many of
 * them without a process for each.
 */
import type { Environment } from '@wechat-outbox/runtime'
import { CommanderError } from 'commander'
import type { Terminal } from './confirm.ts'
import { EXIT, failureOf, failureText } from './failure.ts'
import { type Lang, langOf } from './lang.ts'
import { createOutput, type Output } from './output.ts'
import { type Act, createProgram } from './program.ts'
import { createSession } from './session.ts'

export interface Surroundings {
  readonly environment: Environment
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  /** Whether a person sits at the standard input and sees the standard error. */
  readonly interactive: boolean
}

/** Resolves with the exit code once every connection is closed. Never rejects for what a command line or a server does. */
export async function runWxo(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { environment, stdin, stderr, interactive } = surroundings
  // The question before something that cannot be undone goes to stderr, so that stdout stays the result's.
  const terminal: Terminal = { input: stdin, output: stderr, interactive }
  let exitCode: number = EXIT.done
  const act: Act = async (command) => {
    const session = createSession(environment, outputFor(isJson()))
    try {
      exitCode = (await command(session, terminal)) ?? EXIT.done
    } finally {
      await session.close()
    }
  }
  const program = createProgram(act, surroundings)
  const options = (): { json?: boolean; lang?: Lang } => program.opts()
  const isJson = (): boolean => options().json ?? false
  const outputFor = (json: boolean): Output =>
    createOutput({ json, lang: options().lang ?? langOf(environment) }, surroundings)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(outputFor(isJson()), error)
    // What commander has not parsed is searched for the word.
    return exitCodeOf(outputFor(args.includes('--json')), error)
  }
}

/** commander has printed its own message by then; its help, asked for, is no failure. */
function exitCodeOf(output: Output, error: CommanderError): number {
  if (error.exitCode === 0) return EXIT.done
  if (output.json) output.document({ error: { code: 'USAGE', message: error.message.replace(/^error: /, '') } })
  return EXIT.usage
}

function report(output: Output, error: unknown): number {
  const { exitCode, ...failure } = failureOf(error)
  output.note(`wxo: ${failureText({ exitCode, ...failure })}`)
  if (output.json) output.document({ error: failure })
  return exitCode
}
