// Whether a process still runs. One that has ended but was not collected by its parent counts as ended.
import { readFileSync } from 'node:fs'
import { vi } from 'vitest'

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z')
  } catch {
    return process.platform !== 'linux'
  }
}

export const untilGone = (pid: number): Promise<void> =>
  vi.waitFor(
    () => {
      if (isAlive(pid)) throw new Error(`process ${pid} is still there`)
    },
    { timeout: 10_000 },
  )
