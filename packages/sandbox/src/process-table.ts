// Who is whose parent. On Linux /proc answers; elsewhere `ps` does. (Windows has neither and is not supported.)
import { existsSync, readFileSync } from 'node:fs'
import { runCommand } from './run-command.ts'

export type ProcessEntry = { pid: number; ppid: number; args: readonly string[] }

const HAS_PROC = existsSync('/proc/self/stat')

/**
 * The parent's pid from the text of /proc/PID/stat. The second field is the program's name in parentheses, and a
 * name may itself contain spaces and parentheses: everything up to the last one belongs to it.
 */
export const parentFromStat = (stat: string): number | null => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ppid = Number(fields[1])
  return Number.isInteger(ppid) && fields.length > 2 ? ppid : null
}

const readOrNull = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/** A program may write its title over its arguments (npm does): then words are separated by spaces alone. */
const splitArgs = (commandLine: string): string[] => {
  const args = commandLine.split('\0').filter((arg) => arg !== '')
  return args.length === 1 ? (args[0] ?? '').split(/\s+/).filter(Boolean) : args
}

/** The entry of one process, or null if there is no such process. */
export const processEntry = async (pid: number): Promise<ProcessEntry | null> => {
  if (HAS_PROC) {
    const ppid = parentFromStat(readOrNull(`/proc/${pid}/stat`) ?? '')
    return ppid === null ? null : { pid, ppid, args: splitArgs(readOrNull(`/proc/${pid}/cmdline`) ?? '') }
  }
  const { ok, stdout } = await runCommand('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { timeoutMs: 5000 })
  const found = ok ? /^\s*(\d+)\s+(.*)/.exec(stdout) : null
  return found ? { pid, ppid: Number(found[1]), args: (found[2] ?? '').split(/\s+/) } : null
}

/** The command line of a process as one line, or null if there is no such process. */
export const commandLineOf = async (pid: number): Promise<string | null> =>
  (await processEntry(pid))?.args.join(' ') ?? null
