/**
 * The gateway's own tracing in the form in which an Outbox takes it, which is BullMQ's. A context is a span, or the `traceparent` of one
 * elsewhere: the Outbox hands over that of the message, which is the request's where the message has none.
 */
import type { OutboxSpan, OutboxTelemetry } from '@wechat-outbox/outbox'
import type { TraceSpan, Tracing } from '@wechat-outbox/runtime'

type Context = TraceSpan | string | undefined

export function telemetryOf(tracing: Tracing): OutboxTelemetry {
  return {
    tracer: {
      startSpan: (name, _options, parent) =>
        outboxSpan(tracing.startSpan(name, { kind: 'producer', attributes: {}, parent: parent as Context })),
    },
    contextManager: {
      active: () => undefined,
      getMetadata: (span) => JSON.stringify({ traceparent: (span as TraceSpan).traceparent }),
      fromMetadata: (_active, metadata) => (JSON.parse(metadata) as { readonly traceparent?: string }).traceparent,
    },
  }
}

function outboxSpan(span: TraceSpan): OutboxSpan {
  let error: string | undefined
  return {
    setSpanOnContext: () => span,
    setAttributes: (attributes) => span.set(attributes),
    recordException: ({ name }) => (error = name),
    end: () => span.end({ error }),
  }
}
