/** Notes the time and what some processes have used when a count reaches certain marks. */
import { monotonicMs, type Usage, usageOf } from './proc.ts'

export interface Mark {
  readonly count: number
  readonly atMs: number
  /** By process id. */
  readonly usage: Readonly<Record<number, Usage>>
}

export interface Meter {
  readonly marks: readonly Mark[]
  watch(pids: readonly number[]): void
  /** Call it once for each that is counted. */
  tick(): void
  count(): number
}

export function createMeter(marksAt: readonly number[], pids: readonly number[] = []): Meter {
  const marks: Mark[] = []
  let watched = [...pids]
  let count = 0
  let next = marksAt[0] ?? Infinity
  return {
    marks,
    watch: (more) => void (watched = [...watched, ...more]),
    count: () => count,
    tick() {
      count += 1
      if (count < next) return
      marks.push({ count, atMs: monotonicMs(), usage: Object.fromEntries(watched.map((pid) => [pid, usageOf(pid)])) })
      next = marksAt[marks.length] ?? Infinity
    },
  }
}

/** Between two marks. */
export interface Stretch {
  readonly perSecond: number
  /** CPU time per counted one of the process, in µs. */
  readonly cpuUs: (pid: number) => number
}

/** @throws Error when a mark was not reached */
export function stretchOf(marks: readonly Mark[], from = 0, to = marks.length - 1): Stretch {
  const [first, last] = [marks[from], marks[to]]
  if (first === undefined || last === undefined || first === last) throw new Error('a mark was not reached')
  const count = last.count - first.count
  return {
    perSecond: (count / (last.atMs - first.atMs)) * 1000,
    cpuUs: (pid) => (((last.usage[pid]?.cpuMs ?? Number.NaN) - (first.usage[pid]?.cpuMs ?? Number.NaN)) / count) * 1000,
  }
}
