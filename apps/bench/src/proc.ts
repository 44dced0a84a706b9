/** What a process has used so far, from /proc: nothing has to be asked of the process itself. Linux only; elsewhere NaN. */
import { readFileSync } from 'node:fs'

export interface Usage {
  /** User and system time of all its threads, in ms, to the hundredth of a second. */
  readonly cpuMs: number
  /** Memory that it has in RAM, in bytes. */
  readonly rssBytes: number
}

/** Clock ticks and pages as Linux counts them on every machine that Node runs on. */
const TICK_MS = 10
const UNKNOWN: Usage = { cpuMs: Number.NaN, rssBytes: Number.NaN }

export function usageOf(pid: number): Usage {
  try {
    // The program's name stands in brackets and may hold spaces; what follows it does not.
    const [, rest = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    const fields = rest.split(' ')
    const [, kilobytes = 'NaN'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rssBytes: Number(kilobytes) * 1024 }
  } catch {
    return UNKNOWN
  }
}

/** One clock for all processes of a machine, in ms. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6
