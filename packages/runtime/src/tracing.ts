/**
 * Traces for OpenTelemetry, where an endpoint is set. Everything of OpenTelemetry is loaded then and not before
 * (`tracing-sdk.ts`): without it a process starts as fast and takes as much memory as if there were no traces.
 *
 * Traces are for looking on, so nothing about them keeps a process from starting or a message from being sent: settings that cannot be
 * used are told in the log, and a collector that is away costs spans.
 */
import type { TracingVariables } from './env.ts'
import type { Logger } from './log.ts'

export type TraceAttributes = Readonly<Record<string, string | number | boolean | undefined>>

export interface TraceSpan {
  /** As W3C writes it. */
  readonly traceparent: string
  set(attributes: TraceAttributes): void
  /** `at`: as in `SpanStart`. `error`: what went wrong, in one word. */
  end(ending?: { readonly at?: number | undefined; readonly error?: string | undefined }): void
}

export interface SpanStart {
  readonly kind: 'internal' | 'client' | 'producer' | 'consumer'
  readonly attributes: TraceAttributes
  /** Another span, or the `traceparent` of one elsewhere. */
  readonly parent?: TraceSpan | string | undefined
  /** What the trace belongs to, where there is no parent: everything that has the same seed is one trace. */
  readonly seed?: string | undefined
  /** Epoch milliseconds. Default: now, by this machine's clock. */
  readonly at?: number | undefined
}

export interface Tracing {
  startSpan(name: string, start: SpanStart): TraceSpan
  /** Sends what is left, for two seconds at most. */
  close(): Promise<void>
}

export interface TracingSettings {
  /** With the path, as traces are posted to. */
  readonly url: string
  /** Undefined: the default of `tracing-sdk.ts`, under whatever name the environment gives. */
  readonly serviceName: string | undefined
  readonly sampler: Sampler
}

export interface Sampler {
  /** Traces that begin here. */
  readonly root: 'on' | 'off' | { readonly ratio: number }
  /** Whether a trace that began elsewhere is kept by what was decided there. */
  readonly isParentBased: boolean
}

/** Undefined: there are none. `service`: the name of this process where the environment gives none. */
export async function openTracing(
  variables: TracingVariables,
  { log, service }: { readonly log: Logger; readonly service: string },
): Promise<Tracing | undefined> {
  const settings = readTracing(variables)
  if (settings === undefined) return undefined
  if ('problem' in settings) {
    log.error({ event: 'tracing.off', problem: settings.problem })
    return undefined
  }
  const { startTracing } = await import('./tracing-sdk.ts')
  return startTracing(settings, { log, service })
}

/** Undefined: no traces are wanted. A problem names a variable, and never its value. */
export function readTracing(variables: TracingVariables): TracingSettings | { readonly problem: string } | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = variables
  if (variables.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || variables.OTEL_TRACES_EXPORTER === 'none')
    return undefined
  if (base === undefined && own === undefined) return undefined
  const url = own ?? `${base?.replace(/\/$/, '')}/v1/traces`
  if (!isHttp(url)) {
    return { problem: `OTEL_EXPORTER_OTLP_${own === undefined ? '' : 'TRACES_'}ENDPOINT must be an http or https URL` }
  }
  if ((variables.OTEL_TRACES_EXPORTER ?? 'otlp') !== 'otlp')
    return { problem: 'OTEL_TRACES_EXPORTER must be otlp or none' }
  const protocol = variables.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? variables.OTEL_EXPORTER_OTLP_PROTOCOL ?? PROTOCOL
  if (protocol !== PROTOCOL) return { problem: `OTEL_EXPORTER_OTLP_PROTOCOL must be ${PROTOCOL}` }
  const sampler = readSampler(variables)
  if (sampler === undefined) {
    return { problem: `OTEL_TRACES_SAMPLER must be one of ${SAMPLERS.join(', ')}, OTEL_TRACES_SAMPLER_ARG from 0 to 1` }
  }
  return { url, serviceName: variables.OTEL_SERVICE_NAME, sampler }
}

const PROTOCOL = 'http/protobuf'
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`])

function readSampler({
  OTEL_TRACES_SAMPLER: name,
  OTEL_TRACES_SAMPLER_ARG: given,
}: TracingVariables): Sampler | undefined {
  const known = name ?? 'parentbased_always_on'
  if (!SAMPLERS.includes(known)) return undefined
  const isParentBased = known.startsWith('parentbased_')
  if (!known.endsWith('traceidratio')) return { root: known.endsWith('on') ? 'on' : 'off', isParentBased }
  const ratio = Number(given ?? 1)
  return ratio >= 0 && ratio <= 1 ? { root: { ratio }, isParentBased } : undefined
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
}
