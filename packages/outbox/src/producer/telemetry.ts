/**
 * A span for each message that is stored, with what BullMQ calls `telemetry`: `bullmq-otel` gives one for OpenTelemetry, and a service
 * that traces its BullMQ queues has it already. So the package knows no tracing library and loads none.
 *
 * The span's `traceparent` goes into the message, where the workers find the parent of their spans. BullMQ itself would store it in the
 * job's options, which no message here has.
 *
 * Nothing that a tracing library does keeps a message from being stored.
 */
import { type CheckedRequest, traceparentSchema } from '@wechat-outbox/messages'
import { storeError } from '../errors.ts'
import type { Receipt } from './outbox.ts'

/** As much of BullMQ's interface `Telemetry` as an Outbox uses. */
export interface OutboxTelemetry {
  readonly tracer: {
    startSpan(name: string, options: { kind: number }, context?: unknown): OutboxSpan
  }
  readonly contextManager: {
    active(): unknown
    /** A JSON text whose field `traceparent` is the one of W3C. */
    getMetadata(context: unknown): string
    fromMetadata(active: unknown, metadata: string): unknown
  }
}

export interface OutboxSpan {
  setSpanOnContext(context: unknown): unknown
  setAttributes(attributes: Readonly<Record<string, string | number | boolean>>): void
  recordException(exception: { readonly name: string; readonly message: string }): void
  end(): void
}

/** Calls `store` with the message as it is to be stored. */
export type SendTracer = (
  appid: string,
  request: CheckedRequest,
  store: (request: CheckedRequest) => Promise<Receipt>,
) => Promise<Receipt>

/** `SpanKind.PRODUCER` of OpenTelemetry and of BullMQ. */
const PRODUCER = 3

export function sendTracerOf(telemetry: OutboxTelemetry | undefined): SendTracer {
  if (telemetry === undefined) return (_appid, request, store) => store(request)
  return async (appid, request, store) => {
    const begun = orNothing(() => begin(telemetry, appid, request))
    if (begun === undefined) return store(request)
    const { span, traceparent } = begun
    try {
      const receipt = await store(traceparent === undefined ? request : { ...request, traceparent })
      const { id, duplicate } = receipt
      orNothing(() => span.setAttributes({ 'messaging.message.id': id, 'wxo.duplicate': duplicate }))
      return receipt
    } catch (error) {
      const { code, message } = storeError(error)
      orNothing(() => span.setAttributes({ 'error.type': code }))
      orNothing(() => span.recordException({ name: code, message }))
      throw error
    } finally {
      orNothing(() => span.end())
    }
  }
}

interface Begun {
  readonly span: OutboxSpan
  readonly traceparent: string | undefined
}

/** The message's own `traceparent` is the parent; without one, the span that is active where `send` was called. */
function begin({ tracer, contextManager }: OutboxTelemetry, appid: string, request: CheckedRequest): Begun {
  const active = contextManager.active()
  const { traceparent: given } = request
  const parent =
    given === undefined ? active : contextManager.fromMetadata(active, JSON.stringify({ traceparent: given }))
  const span = tracer.startSpan('send wechat-outbox', { kind: PRODUCER }, parent)
  span.setAttributes({
    'messaging.system': 'bullmq',
    'messaging.destination.name': 'wechat-outbox',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'wxo.appid': appid,
    'wxo.msgtype': request.msgtype,
  })
  return { span, traceparent: traceparentIn(contextManager.getMetadata(span.setSpanOnContext(parent))) }
}

/** Undefined where no tracing library is set up, or one that propagates in another form. */
function traceparentIn(metadata: string): string | undefined {
  const { traceparent } = JSON.parse(metadata) as { readonly traceparent?: unknown }
  return traceparentSchema.safeParse(traceparent).data
}

function orNothing<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}
