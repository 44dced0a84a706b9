// What a started process writes, kept within bounds, and a way to wait for one of its lines instead of sleeping.
import type { Readable } from 'node:stream'

export type CollectedOutput = {
  /** The latest output, at most 1 MiB of it. */
  text: () => string
  /** Calls `onLine` for every line of before and from now on, until the returned function is called. */
  watch: (onLine: (line: string) => void) => () => void
}

const TEXT_MAX = 1024 * 1024

export const collectLines = (stream: Readable): CollectedOutput => {
  let text = ''
  let open = ''
  const watchers = new Set<(line: string) => void>()
  const tell = (line: string): void => {
    for (const watcher of watchers) watcher(line)
  }
  stream.setEncoding('utf8')
  stream.on('error', () => undefined)
  stream.on('data', (chunk: string) => {
    text = (text + chunk).slice(-TEXT_MAX)
    const lines = (open + chunk).split('\n')
    open = (lines.pop() ?? '').slice(-TEXT_MAX)
    lines.forEach(tell)
  })
  stream.on('end', () => {
    if (open !== '') tell(open)
    open = ''
  })
  return {
    text: () => text,
    watch: (onLine) => {
      // An unfinished last line is not shown: it will come when it is whole.
      for (const line of text
        .slice(0, text.length - open.length)
        .split('\n')
        .slice(0, -1))
        onLine(line)
      watchers.add(onLine)
      return () => void watchers.delete(onLine)
    },
  }
}
