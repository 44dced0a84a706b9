/** The gateway and the worker, as they run anywhere else, with both ends of this process's environment. */
import { readGatewayConfig, startGateway } from '@wechat-outbox/gateway'
import type { Environment, Logger } from '@wechat-outbox/runtime'
import { readWorkerConfig, startWorker } from '@wechat-outbox/worker'
import { isTaken, onFreePort } from './ports.ts'
import type { Stack } from './stack.ts'
import type { Stop } from './stop.ts'

export interface ServicesOptions {
  readonly env: Environment
  readonly opened: Stack
  readonly log: (process: 'gateway' | 'worker') => Logger
  /** A taken port is replaced by a free one, unless it was asked for by name. */
  readonly anyPort: boolean
  readonly stop: Pick<Stop, 'signal' | 'cut'>
}

export interface Services {
  readonly gatewayUrl: string
  readonly workerUrl: string
  /** Ports that were taken, so that others are used. */
  readonly replaced: readonly number[]
}

/** The gateway first: it may close last, when the worker's calls have ended. @throws when a port is taken */
export async function startServices({ env, opened, log, anyPort, stop }: ServicesOptions): Promise<Services> {
  const gatewayConfig = readGatewayConfig(env)
  const gateway = await listen('GATEWAY_PORT', {
    at: { host: gatewayConfig.GATEWAY_HOST, port: gatewayConfig.GATEWAY_PORT },
    anyPort: anyPort && !env['GATEWAY_PORT'],
    start: (port) => startGateway({ ...gatewayConfig, GATEWAY_PORT: port }, log('gateway')),
  })
  opened.add(gateway, (running) => running.close(stop.cut))
  stop.signal.throwIfAborted()
  const workerConfig = readWorkerConfig(env)
  const worker = await listen('WORKER_PORT', {
    at: { host: workerConfig.WORKER_HOST, port: workerConfig.WORKER_PORT },
    anyPort: anyPort && !env['WORKER_PORT'],
    start: (port) => startWorker({ ...workerConfig, WORKER_PORT: port }, log('worker')),
  })
  opened.add(worker, (running) => running.close(stop.cut))
  stop.signal.throwIfAborted()
  const wanted = [
    { port: gatewayConfig.GATEWAY_PORT, url: gateway.url },
    { port: workerConfig.WORKER_PORT, url: worker.url },
  ]
  const replaced = wanted.filter(({ port, url }) => port !== 0 && portOf(url) !== port).map(({ port }) => port)
  return { gatewayUrl: gateway.url, workerUrl: worker.url, replaced }
}

interface Listen<T> {
  readonly at: { readonly host: string; readonly port: number }
  readonly anyPort: boolean
  readonly start: (port: number) => Promise<T>
}

async function listen<T>(variable: string, { at, anyPort, start }: Listen<T>): Promise<T> {
  try {
    return anyPort ? await onFreePort(at, start) : await start(at.port)
  } catch (error) {
    if (!isTaken(error)) throw error
    throw new Error(`port ${at.port} is taken: set ${variable} to another one`, { cause: error })
  }
}

/** A URL leaves out the port that its scheme has by default. */
function portOf(url: string): number {
  return Number(new URL(url).port || 80)
}
