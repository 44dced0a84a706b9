// Runs one program to its end and gives back what it wrote. Every call has a time limit and an output limit.
import { execFile } from 'node:child_process'

export type CommandResult = { ok: boolean; stdout: string; stderr: string }
export type CommandOptions = { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number }

/** Never rejects: a program that is missing, fails or takes too long is `ok: false` with the reason in stderr. */
export const runCommand = (
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> =>
  new Promise((resolve) => {
    const limits = { timeout: options.timeoutMs ?? 60_000, maxBuffer: 16 * 1024 * 1024, killSignal: 'SIGKILL' as const }
    const place = { env: options.env ?? process.env, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) }
    execFile(command, args, { ...limits, ...place }, (error, stdout, stderr) => {
      resolve({ ok: error === null, stdout, stderr: stderr || (error?.message ?? '') })
    })
  })
