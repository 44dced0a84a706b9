/**
 * How a process ends: on SIGTERM or SIGINT it finishes what it holds and exits 0, and a signal again after some seconds cuts
 * that short (`process-end.ts`); a fault that nobody caught ends it at once with 1. On SIGHUP a service that can reads its
 * configuration again. Only `main.ts` files call this: nothing below them ends the process.
 */
import { OutboxError } from '@wechat-outbox/outbox'
import { ConfigError } from './env.ts'
import type { Logger } from './log.ts'
import { printableLines } from './printable.ts'
import { endOnFault, endProcess, listenForEnd } from './process-end.ts'

export interface Service {
  /** Ends everything, within a limit of its own; once `cut` is aborted, calls are broken off, and recorded as such. */
  close(cut: AbortSignal): Promise<void>
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
  const { first: ended, cut } = listenForEnd()
  const onFault = endOnFault((error) => log.fatal({ event: 'process.fault', err: error }))
  // A start may wait for Redis for ever, and must not keep the process from ending.
  const service = await Promise.race([start().catch(exitIfConfig), ended.then(() => undefined)])
  service?.failed?.catch(onFault)
  if (service !== undefined) reloader.started(service)
  const signal = await ended
  log.info({ event: 'process.stopping', signal })
  cut.addEventListener('abort', () => log.warn({ event: 'process.cut-short' }))
  await service?.close(cut)
  log.info({ event: 'process.stopped' })
  endProcess(0)
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

/** Reads the configuration, or prints every problem on stderr and exits 1. */
export function configOrExit<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    return exitIfConfig(error)
  }
}

/** What only the start finds out, a password that Redis refuses for instance, is reported in the form of all other problems. */
function exitIfConfig(error: unknown): never {
  const isConfig = error instanceof OutboxError && error.code === 'WXO_CONFIG'
  const problem = isConfig ? new ConfigError([error.message]) : error
  if (!(problem instanceof ConfigError)) throw error
  process.stderr.write(`${printableLines(problem.message)}\n`)
  process.exit(1)
}
