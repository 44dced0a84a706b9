/** The process `wxo`: one command, its exit code, and an end by itself once its connections are closed. */
import { runWxo } from './run.ts'

const { stdin, stdout, stderr, env: environment } = process

// `wxo dead ls | head` closes the pipe early: the rest of the output is not wanted.
stdout.on('error', ignoreClosedPipe)
stderr.on('error', ignoreClosedPipe)

const interactive = stdin.isTTY === true && stderr.isTTY === true
process.exitCode = await runWxo(process.argv.slice(2), { environment, stdin, stdout, stderr, interactive })

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
