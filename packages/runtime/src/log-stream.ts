/**
 * The log must not hold up what it reports. Its reader may stand still, so that a pipe is full; the reader may be gone, or
 * the disk be full. A write that waits stops the event loop, and with it the renewal of locks; one that throws ends the process.
 *
 * So lines go through a stream of Node's, which waits for no pipe, and at most `BUFFERED_MAX` characters wait in it. Beyond
 * that, and for a second after a write that failed, lines are dropped and counted. Once everything has been taken, one line
 * reports in its place how many are missing. While the reader reads, a line is handed to the system before `write` returns,
 * so a process that is killed loses none.
 */
import type { Writable } from 'node:stream'
import { type DestinationStream, pino } from 'pino'

/** Some 7,000 lines: a reader may pause for two seconds while a worker is as busy as it can be. */
const BUFFERED_MAX = 2 * 1024 * 1024
const AFTER_ERROR_MS = 1000
const FATAL = pino.levels.values['fatal'] ?? 60

let dropped = 0

/** Lines that this process has dropped, of all its logs. */
export function droppedLines(): number {
  return dropped
}

/** `onDropped` is called when lines can be written again, to write how many were dropped since it was last called. */
export function createLogStream(out: Writable, onDropped: (lines: number) => void): DestinationStream {
  let isOpen = true
  /** Dropped, and no line has told of them. */
  let untold = 0
  /** The same, while the line that tells of them is being written. */
  let telling = 0

  function drop(): void {
    dropped += 1
    untold += 1
  }

  function open(): void {
    if (isOpen) return
    isOpen = true
    telling = untold
    untold = 0
    onDropped(telling)
  }

  function onWritten(error?: Error | null): void {
    if (error) {
      isOpen = false
      drop()
      untold += telling
      setTimeout(open, AFTER_ERROR_MS).unref()
    }
    telling = 0
  }

  const stream = {
    // Asks pino for the level of each line.
    [pino.symbols.needsMetadataGsym]: true as const,
    lastLevel: 0,
    write(line: string): void {
      if (isOpen && out.writableLength > BUFFERED_MAX) {
        isOpen = false
        out.once('drain', open)
      }
      // The last words of a process come after whatever waits.
      if (isOpen || stream.lastLevel >= FATAL) out.write(line, onWritten)
      else drop()
    },
  }
  return stream
}
