// An Outbox with the telemetry that services give to BullMQ: the published adapter for OpenTelemetry, on OpenTelemetry's own SDK.
import { context, propagation, type SpanContext, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  StackContextManager,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { partIdOf } from '@wechat-outbox/messages'
import type { Telemetry } from 'bullmq'
import { BullMQOtel } from 'bullmq-otel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OutboxTelemetry } from '../../src/index.ts'
import { APP, keys, sharedWorld } from '../support/world.ts'

const GIVEN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const message = { touser: 'oAnna', msgtype: 'text' as const, text: { content: 'S3CRET content' } }

const world = sharedWorld()
const spans = new InMemorySpanExporter()

function setUp(options: ConstructorParameters<typeof TracerProvider>[0] = {}): void {
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })], ...options }),
  )
  context.setGlobalContextManager(new StackContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
}
afterEach(() => {
  trace.disable()
  context.disable()
  propagation.disable()
  spans.reset()
})

const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext): string => `00-${traceId}-${spanId}-0${traceFlags}`
const storedText = async (id: string): Promise<string> => (await world.redis.hget(keys.sendJob(id), 'data')) ?? ''
const stored = async (id: string) => JSON.parse(await storedText(id)) as { traceparent?: string }
const onlySpan = (): ReadableSpan => {
  const [span, ...others] = spans.getFinishedSpans()
  expect(others).toEqual([])
  return span as ReadableSpan
}
const outbox = () => world.outbox({ telemetry: new BullMQOtel() })

describe('with a tracing library', () => {
  beforeEach(() => setUp())

  it('a send is a producer span, and the message is its child', async () => {
    const { id } = await outbox().send(message)
    const span = onlySpan()
    expect(span).toMatchObject({ name: 'send wechat-outbox', kind: 3, parentSpanContext: undefined })
    expect(span.attributes).toEqual({
      'messaging.system': 'bullmq',
      'messaging.destination.name': 'wechat-outbox',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'send',
      'messaging.message.id': id,
      'wxo.appid': APP,
      'wxo.msgtype': 'text',
      'wxo.duplicate': false,
    })
    expect(await stored(id)).toMatchObject({ traceparent: traceparentOf(span.spanContext()) })
  })

  it('the span that is active where it is called is its parent', async () => {
    const around = trace.getTracer('test').startSpan('around')
    await context.with(trace.setSpan(context.active(), around), () => outbox().send(message))
    expect(onlySpan().parentSpanContext).toMatchObject({ spanId: around.spanContext().spanId })
  })

  it('a traceparent that the message brings is its parent, whatever is active', async () => {
    const around = trace.getTracer('test').startSpan('around')
    const sent = context.with(trace.setSpan(context.active(), around), () =>
      outbox().send({ ...message, traceparent: GIVEN }),
    )
    const { id } = await sent
    const span = onlySpan()
    expect(span.parentSpanContext).toMatchObject({ traceId: GIVEN.slice(3, 35), spanId: GIVEN.slice(36, 52) })
    expect(await stored(id)).toMatchObject({ traceparent: traceparentOf(span.spanContext()) })
  })

  it('each message of many has its own, and the parts of a long text have that of their message', async () => {
    const many = await world
      .outbox({ telemetry: new BullMQOtel(), textBytesMax: 10, textSplit: true })
      .sendMany([message, message])
    const ids = many.flatMap((result) => ('id' in result ? [result.id] : []))
    const own = spans.getFinishedSpans().map((span) => traceparentOf(span.spanContext()))
    expect(new Set(own).size).toBe(2)
    for (const [at, id] of ids.entries()) {
      expect(await stored(id)).toMatchObject({ traceparent: own[at], part: { n: 1, of: 2 } })
      expect(await stored(partIdOf(id, 2))).toMatchObject({ traceparent: own[at], part: { n: 2, of: 2 } })
    }
  })

  it('a repeat is a span of its own, and the first message keeps its trace', async () => {
    const request = { ...message, idempotencyKey: 'traced twice' }
    const { id } = await outbox().send(request)
    const { traceparent } = await stored(id)
    spans.reset()
    expect(await outbox().send(request)).toMatchObject({ id, duplicate: true })
    expect(onlySpan().attributes).toMatchObject({ 'messaging.message.id': id, 'wxo.duplicate': true })
    expect((await stored(id)).traceparent).toBe(traceparent)
  })

  it('what is refused says why, by its code', async () => {
    const request = { ...message, idempotencyKey: 'another message' }
    await outbox().send(request)
    spans.reset()
    const changed = { ...request, text: { content: 'S3CRET too' } }
    await expect(outbox().send(changed)).rejects.toMatchObject({ code: 'WXO_CONFLICT' })
    const span = onlySpan()
    expect(span.attributes).toMatchObject({ 'error.type': 'WXO_CONFLICT' })
    expect(span.events).toMatchObject([{ name: 'exception', attributes: { 'exception.type': 'WXO_CONFLICT' } }])
    expect(JSON.stringify([span.attributes, span.events])).not.toMatch(/S3CRET|oAnna/)
  })
})

it('a decision not to sample goes with the message', async () => {
  setUp({ sampler: new AlwaysOffSampler() })
  const { id } = await outbox().send(message)
  expect((await stored(id)).traceparent).toMatch(/-00$/)
  expect(spans.getFinishedSpans()).toEqual([])
})

it('without a tracing library behind it, a message is stored as without telemetry', async () => {
  const plain = await storedText((await world.outbox().send(message)).id)
  expect(await storedText((await outbox().send(message)).id)).toBe(plain)
  expect(plain).not.toContain('traceparent')
  const given = await outbox().send({ ...message, traceparent: GIVEN })
  expect(await stored(given.id)).toMatchObject({ traceparent: GIVEN })
})

it.each<[string, unknown]>([
  [
    'that throws',
    () => {
      throw new Error('a bug of the tracing library')
    },
  ],
  ['that gives nonsense', () => '{"traceparent":"nonsense"}'],
  ['that gives no JSON', () => 'nonsense'],
])('a message is stored in spite of telemetry %s', async (_, getMetadata) => {
  const telemetry = new BullMQOtel()
  Object.assign(telemetry.contextManager, { getMetadata })
  const { id } = await world.outbox({ telemetry }).send(message)
  expect(await stored(id)).not.toHaveProperty('traceparent')
})

it('takes whatever BullMQ takes', () => {
  const telemetry: Telemetry = new BullMQOtel()
  const taken: OutboxTelemetry = telemetry
  expect(taken).toBe(telemetry)
})
