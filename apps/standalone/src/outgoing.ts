/**
 * What the sandbox tells beyond this machine. The person's own settings are in force there too, and a receiver of callbacks or a
 * collector of traces that the shell names hears of the samples: so the start says who it is.
 */
import { type Environment, readTracing } from '@wechat-outbox/runtime'
import { readWorkerConfig } from '@wechat-outbox/worker'

export interface Outgoing {
  readonly name: 'callbacks' | 'traces'
  /** With its port; the rest of the address may hold a secret. */
  readonly host: string
}

/** `env`: as worker and gateway get it. @throws ConfigError when they could not use it */
export function outgoingOf(env: Environment): Outgoing[] {
  const { apps, ...variables } = readWorkerConfig(env)
  const outgoing = apps.flatMap(({ callback }): Outgoing[] =>
    callback === undefined ? [] : [{ name: 'callbacks', host: new URL(callback.url).host }],
  )
  const tracing = readTracing(variables)
  if (tracing !== undefined && 'url' in tracing) outgoing.push({ name: 'traces', host: new URL(tracing.url).host })
  return outgoing
}

export function outgoingText(outgoing: readonly Outgoing[]): string {
  const exceptions = outgoing.map(({ name, host }) => `${name}, to ${host}`)
  return `Nothing leaves this machine${exceptions.length === 0 ? '' : ` but ${exceptions.join(', and ')}`}.`
}
