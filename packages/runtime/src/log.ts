/**
 * Logs: one JSON line per event, on stdout. What is logged is chosen field by field; an error keeps its text and code and
 * loses everything else, because clients hang commands, URLs and headers on theirs.
 */
import { messageOf } from '@wechat-outbox/outbox/engine'
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'

export type { Logger }

export interface LogOptions {
  readonly level: string
  /** The process: `worker`, `gateway`. */
  readonly name: string
  /** stdout by default. */
  readonly destination?: DestinationStream
}

export function createLogger({ level, name, destination }: LogOptions): Logger {
  const options = {
    level,
    base: { process: name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError, error: describeError },
    // pino copies the text of what stands under its error key into `msg`, as it is; so nothing of ours stands there.
    errorKey: 'pinoError',
    hooks: { logMethod },
  }
  // Written at once: a process that ends would lose its last lines, which say why.
  return pino(options, destination ?? pino.destination({ dest: 1, sync: true }))
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
