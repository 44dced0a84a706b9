/**
 * Logs: one JSON line per event, on stdout. What is logged is chosen field by field; an error keeps its text and code and
 * loses everything else, because clients hang commands, URLs and headers on theirs. What a terminal would obey is escaped, for
 * logs are read on terminals.
 */
import { Writable } from 'node:stream'
import { messageOf } from '@wechat-outbox/outbox/engine'
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import { createLogStream } from './log-stream.ts'
import { printableLines } from './printable.ts'

export type { Logger }

export interface LogOptions {
  readonly level: string
  /** The process: `worker`, `gateway`. */
  readonly name: string
  /** stdout by default. Lines are never waited for in a stream of Node's (`log-stream.ts`); whoever opens it listens to its errors. */
  readonly destination?: DestinationStream
}

export function createLogger({ level, name, destination = process.stdout }: LogOptions): Logger {
  const options = {
    level,
    base: { process: name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError, error: describeError },
    // pino copies the text of what stands under its error key into `msg`, as it is; so nothing of ours stands there.
    errorKey: 'pinoError',
    hooks: { logMethod, streamWrite: printableLines },
  }
  if (!(destination instanceof Writable)) return pino(options, destination)
  // An error, so that who wants to see no less than errors sees that some are missing.
  const onDropped = (lines: number): void => log.error({ event: 'log.dropped', lines })
  const log = pino(options, createLogStream(destination, onDropped))
  return log
}

/** An error that is logged by itself takes the way of all others. */
function logMethod(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, ...rest] = args as [unknown, ...string[]]
  method.apply(this, (first instanceof Error ? [{ err: first }, ...rest] : args) as Parameters<LogFn>)
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return messageOf(error)
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { type: error.name, message: messageOf(error), ...code }
}
