/**
 * A service that traces: OpenTelemetry's SDK set up as such services do it, and an Outbox with BullMQ's telemetry. Inside a span of its own
 * it sends what it reads as JSON from its argument, and prints the receipts.
 */
import { context, propagation, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, StackContextManager, TracerProvider } from '@opentelemetry/sdk-trace'
import { Outbox } from '@wechat-outbox/outbox'
import { BullMQOtel } from 'bullmq-otel'

const [redis = '', appid = '', requests = '[]'] = process.argv.slice(2)
const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })] })
trace.setGlobalTracerProvider(provider)
context.setGlobalContextManager(new StackContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())

const outbox = new Outbox({ redis, appid, telemetry: new BullMQOtel() })
const order = trace.getTracer('shop').startSpan('order paid')
const sent = context.with(trace.setSpan(context.active(), order), () => outbox.sendMany(JSON.parse(requests)))
process.stdout.write(`receipts ${JSON.stringify(await sent)}\n`)
order.end()
await outbox.close()
await provider.shutdown()
process.exit(0)
