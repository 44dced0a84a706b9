/**
 * OpenTelemetry's SDK, set up for one process. Loaded by `tracing.ts` alone, and only where traces are wanted.
 *
 * Nothing is registered globally: spans are made where this code makes them, with parents that are handed over, so no context has to be
 * carried through every asynchronous step.
 */
import { hash } from 'node:crypto'
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { ExportResultCode, parseTraceParent } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { within } from '@wechat-outbox/outbox/engine'
import type { Logger } from './log.ts'
import { createSeldom } from './seldom.ts'
import type { SpanStart, TraceAttributes, TraceSpan, Tracing, TracingSettings } from './tracing.ts'

const FLUSH_MS_MAX = 2000
const SAY_EVERY_MS = 60_000
/** Spans that wait to be sent; more are dropped. Some 2 MB. */
const WAITING_MAX = 4096

const KINDS = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

export function startTracing(settings: TracingSettings, { log, service }: { log: Logger; service: string }): Tracing {
  const ids = new SeededIds()
  const exporter = telling(new OTLPTraceExporter({ url: settings.url }), log)
  const provider = new TracerProvider({
    resource: resourceOf(settings.serviceName, service),
    sampler: samplerOf(settings),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: WAITING_MAX })],
  })
  const tracer = provider.getTracer('wechat-outbox')
  return {
    startSpan: (name, start) => ids.seeded(start.seed, () => new SdkSpan(tracer, name, start)),
    async close() {
      // What cannot be sent has been told by then.
      await within(provider.shutdown(), FLUSH_MS_MAX, undefined).catch(() => undefined)
    },
  }
}

class SdkSpan implements TraceSpan {
  readonly #span: Span

  constructor(tracer: Tracer, name: string, { kind, attributes, parent, at }: SpanStart) {
    this.#span = tracer.startSpan(
      name,
      {
        kind: KINDS[kind],
        attributes: attributes as Record<string, string>,
        ...(at === undefined ? {} : { startTime: at }),
      },
      contextOf(parent),
    )
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext()
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  }

  set(attributes: TraceAttributes): void {
    this.#span.setAttributes(attributes as Record<string, string>)
  }

  end({ at, error }: Parameters<TraceSpan['end']>[0] = {}): void {
    if (error !== undefined) this.#span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end(at)
  }

  /** What has this span for its parent. */
  get context() {
    return trace.setSpan(ROOT_CONTEXT, this.#span)
  }
}

function contextOf(parent: SpanStart['parent']) {
  if (parent instanceof SdkSpan) return parent.context
  const parsed = typeof parent === 'string' ? parseTraceParent(parent) : null
  return parsed === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parsed, isRemote: true })
}

/** Spans without a parent that belong together are in one trace, though they are made in different processes. */
class SeededIds extends RandomIdGenerator {
  #seed: string | undefined

  seeded<T>(seed: string | undefined, make: () => T): T {
    this.#seed = seed
    try {
      return make()
    } finally {
      this.#seed = undefined
    }
  }

  override generateTraceId(): string {
    return this.#seed === undefined ? super.generateTraceId() : hash('sha256', this.#seed).slice(0, 32)
  }
}

function resourceOf(serviceName: string | undefined, service: string) {
  const named = serviceName === undefined ? {} : { 'service.name': serviceName }
  return resourceFromAttributes({ 'service.name': service })
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, resourceAttributesEnvDetector] }))
    .merge(resourceFromAttributes(named))
}

function samplerOf({ sampler: { root, isParentBased } }: TracingSettings): Sampler {
  const own = typeof root === 'object' ? new TraceIdRatioBasedSampler(root.ratio) : ROOTS[root]()
  return isParentBased ? new ParentBasedSampler({ root: own }) : own
}

const ROOTS = { on: () => new AlwaysOnSampler(), off: () => new AlwaysOffSampler() } as const

/** Says that spans are lost, now and then; never what the exporter says, in which its URL and its headers may stand. */
function telling(exporter: SpanExporter, log: Logger): SpanExporter {
  const seldom = createSeldom(SAY_EVERY_MS)
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== ExportResultCode.SUCCESS) {
          const cause = codeOf(result.error)
          seldom('lost', (times) => log.warn({ event: 'tracing.spans-lost', cause, spans: spans.length, times }))
        }
        done(result)
      })
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}

/** The status of an answer, or what Node calls the fault of a connection. */
function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === 'number' || (typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code))
    ? String(code)
    : undefined
}
