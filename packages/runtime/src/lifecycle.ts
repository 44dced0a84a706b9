/**
 * How a process ends: on SIGTERM or SIGINT it finishes what it holds and exits 0; a second signal, or a fault that nobody
 * caught, ends it at once with 1. On SIGHUP a service that can reads its configuration again. Only `main.ts` files call this: nothing below them ends the process.
 */
import { ConfigError } from './env.ts'
import type { Logger } from './log.ts'

export interface Service {
  /** Ends everything, within a limit of its own. */
  close(): Promise<void>
  /** Rejects when the service cannot go on by itself and its process should be started afresh. */
  readonly failed?: Promise<never>
  /** Reads again what may change while it runs, and takes it over or refuses it. */
  reload?(): Promise<void>
}

export interface RunOptions {
  /** SIGHUP does not end the process but reloads the service, once it has started. */
  readonly reloads?: boolean
}

/** Starts a service and keeps the process until it is told to end. */
export async function runService(
  log: Logger,
  start: () => Promise<Service>,
  { reloads = false }: RunOptions = {},
): Promise<void> {
  const reloader = createReloader(log)
  if (reloads) process.on('SIGHUP', reloader.hangUp)
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
  if (service !== undefined) reloader.started(service)
  const signal = await ended
  log.info({ event: 'process.stopping', signal })
  void nextSignal().then(() => process.exit(1))
  await service?.close()
  log.info({ event: 'process.stopped' })
  process.exit(0)
}

/** A SIGHUP that comes during the start is kept for afterwards: what has been read by then may be old. */
function createReloader(log: Logger) {
  let service: Service | undefined
  let early = false
  const hangUp = (): void => {
    early = service === undefined
    service?.reload?.().catch((error: unknown) => log.error({ event: 'process.reload-failed', err: error }))
  }
  return {
    hangUp,
    started(running: Service): void {
      service = running
      if (early) hangUp()
    },
  }
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
