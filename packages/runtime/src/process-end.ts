/**
 * How a process is told to end, and how it goes. The first signal asks for an end in order. One that comes later, when that
 * takes too long, cuts it short: calls are broken off, and what they came to is still recorded. Another one ends the process
 * at once. Nothing of it may depend on who reads the output: that person may be gone, or stand still.
 *
 * An entry of its own that loads nothing else, for a process that has to listen before it loads anything large.
 */
import type { Writable } from 'node:stream'

/** A terminal, npm, pnpm and systemd each pass a signal on, INT beside TERM; what comes so soon is the same request to end. */
const SAME_WISH_MS = 2000
/** What an end that is cut short may take. */
const CUT_MS_MAX = 5000
const FLUSH_MS_MAX = 2000

export interface EndWishes {
  /** Resolves with the first signal. */
  readonly first: Promise<NodeJS.Signals>
  /** Aborted by a later one. The process then has five seconds to end by itself, and ends with 1 if it has not. */
  readonly cut: AbortSignal
}

/** From now on SIGTERM and SIGINT are requests to end, and writing to stdout and stderr neither ends the process nor holds it up. */
export function listenForEnd(): EndWishes {
  const first = Promise.withResolvers<NodeJS.Signals>()
  const cut = new AbortController()
  let wishes = 0
  let wishedAt = Number.NEGATIVE_INFINITY
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (now - wishedAt < SAME_WISH_MS) return
    wishedAt = now
    wishes += 1
    if (wishes > 2) process.exit(1)
    if (wishes === 1) return first.resolve(signal)
    cut.abort()
    setTimeout(() => endProcess(1), CUT_MS_MAX)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  for (const stream of [process.stdout, process.stderr]) {
    // The reader is gone or the disk is full, and there is nobody left to tell.
    stream.on('error', () => undefined)
    dontBlock(stream)
  }
  return { first: first.promise, cut: cut.signal }
}

/**
 * Node waits for terminals, and one stands still after Ctrl-S, or when nobody reads the console of a container. There is no
 * documented way to say otherwise; where this one is missing, a terminal holds the process up as it does any other.
 */
function dontBlock(stream: Writable & { readonly _handle?: { setBlocking?(blocks: boolean): unknown } }): void {
  stream._handle?.setBlocking?.(false)
}

/**
 * From now on a fault that nobody catches is told and ends the process with 1. Only the first is told: until that has been read
 * the process goes on for a moment, and what has failed may fail again. Returns what to call for a fault that was caught.
 */
export function endOnFault(tell: (error: unknown) => void): (error: unknown) => void {
  let isFaulty = false
  const onFault = (error: unknown): void => {
    if (isFaulty) return
    isFaulty = true
    tell(error)
    endProcess(1)
  }
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)
  return onFault
}

/** Ends the process as soon as all that it has written is with its readers, and after two seconds in any case. */
export function endProcess(code: number): void {
  const open = [process.stdout, process.stderr].filter(({ writableLength }) => writableLength > 0)
  if (open.length === 0) process.exit(code)
  setTimeout(() => process.exit(code), FLUSH_MS_MAX)
  void Promise.all(open.map(flushed)).then(() => process.exit(code))
}

function flushed(stream: Writable): Promise<void> {
  // Called when that fails, too.
  return new Promise((resolve) => stream.write('', () => resolve()))
}
