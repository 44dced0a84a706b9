/**
 * How a process ends: on SIGTERM or SIGINT it finishes what it holds and exits 0; a second signal, or a fault that nobody
 * caught, ends it at once with 1. Only `main.ts` files call this: nothing below them ends the process.
 */
import { ConfigError } from './env.ts'
import type { Logger } from './log.ts'

export interface Service {
  /** Ends everything, within a limit of its own. */
  close(): Promise<void>
  /** Rejects when the service cannot go on by itself and its process should be started afresh. */
  readonly failed?: Promise<never>
}

/** Starts a service and keeps the process until it is told to end. */
export async function runService(log: Logger, start: () => Promise<Service>): Promise<void> {
  const ended = nextSignal()
  const onFault = (error: unknown): void => {
    log.fatal({ event: 'process.fault', err: error })
    process.exit(1)
  }
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)
  // A start may wait for Redis for ever, and must not keep the process from ending.
  const service = await Promise.race([start(), ended.then(() => undefined)])
  service?.failed?.catch(onFault)
  const signal = await ended
  log.info({ event: 'process.stopping', signal })
  void nextSignal().then(() => process.exit(1))
  await service?.close()
  log.info({ event: 'process.stopped' })
  process.exit(0)
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const done = (signal: NodeJS.Signals): void => {
      process.off('SIGTERM', done)
      process.off('SIGINT', done)
      resolve(signal)
    }
    process.on('SIGTERM', done)
    process.on('SIGINT', done)
  })
}

/** Reads the configuration, or prints every problem on stderr and exits 1. */
export function configOrExit<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}
