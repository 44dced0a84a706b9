/** What a collector of OpenTelemetry does with traces: takes OTLP over HTTP, in protobuf, and reads it by the published message types. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import protobuf from 'protobufjs'

// https://github.com/open-telemetry/opentelemetry-proto, trace.proto and what it uses, without what no test looks at.
const OTLP = protobuf
  .parse(`
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; }
  message InstrumentationScope { string name = 1; string version = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    enum SpanKind { unspecified = 0; internal = 1; server = 2; client = 3; producer = 4; consumer = 5; }
    SpanKind kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; repeated Event events = 11; Status status = 15;
    message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  }
  message Status { string message = 2; StatusCode code = 3; enum StatusCode { unset = 0; ok = 1; error = 2; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`)
  .root.lookupType('ExportTraceServiceRequest')

export interface ReceivedSpan {
  /** Of the process that made it. */
  readonly resource: Readonly<Record<string, unknown>>
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  /** '' for the first of a trace. */
  readonly parentSpanId: string
  readonly startMs: number
  readonly endMs: number
  readonly status: string
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Collector {
  readonly url: string
  spans(): ReceivedSpan[]
  /** Everything that was posted, as it came. */
  bytes(): Buffer
  /** How often something was posted. */
  requests(): number
  close(): Promise<void>
}

/** `hangs`: it takes what is posted and never answers. */
export async function startCollector({ hangs = false } = {}): Promise<Collector> {
  const bodies: Buffer[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const isTraces = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf'
      if (isTraces) bodies.push(Buffer.concat(chunks))
      if (!hangs) response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => bodies.flatMap(spansIn),
    bytes: () => Buffer.concat(bodies),
    requests: () => bodies.length,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface Decoded {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly DecodedSpan[] }[]
  }[]
}

interface DecodedSpan {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status?: { readonly code: string }
  readonly attributes: readonly Attribute[]
}

function spansIn(body: Buffer): ReceivedSpan[] {
  const decoded = OTLP.toObject(OTLP.decode(body), {
    bytes: String,
    longs: String,
    enums: String,
    arrays: true,
    defaults: true,
  }) as Decoded
  return decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => received(span, valuesOf(resource.attributes)))),
  )
}

function received(span: DecodedSpan, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    resource,
    name: span.name,
    kind: span.kind,
    traceId: hexOf(span.traceId),
    spanId: hexOf(span.spanId),
    parentSpanId: hexOf(span.parentSpanId),
    startMs: Number(BigInt(span.startTimeUnixNano) / 1000n) / 1000,
    endMs: Number(BigInt(span.endTimeUnixNano) / 1000n) / 1000,
    status: span.status?.code ?? 'unset',
    attributes: valuesOf(span.attributes),
  }
}

const hexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [kind = '', given] = Object.entries(value).find(([name]) => name.endsWith('Value')) ?? []
      return [key, kind === 'intValue' ? Number(given) : given]
    }),
  )
}
