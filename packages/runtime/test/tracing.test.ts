import { describe, expect, it } from 'vitest'
import { readTracing } from '../src/tracing.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
const ON = { root: 'on', isParentBased: true }

describe('the settings of traces', () => {
  it.each([
    ['nothing', {}],
    ['a name', { OTEL_SERVICE_NAME: 'worker' }],
    ['the SDK disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
    ['no exporter', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ])('say that there are none: %s', (_, variables) => {
    expect(readTracing(variables)).toBeUndefined()
  })

  it.each([
    ['a collector', ENDPOINT, 'http://collector:4318/v1/traces'],
    [
      'one with a slash',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example/otlp/' },
      'https://c.example/otlp/v1/traces',
    ],
    ['one of traces', { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t:1/traces' }, 'http://t:1/traces'],
    ['the SDK not disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'false' }, 'http://collector:4318/v1/traces'],
    [
      'another protocol for the rest',
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' },
      'http://collector:4318/v1/traces',
    ],
  ])('say where they go: %s', (_, variables, url) => {
    expect(readTracing(variables)).toEqual({ url, serviceName: undefined, sampler: ON })
  })

  it.each([
    ['always_on', undefined, { root: 'on', isParentBased: false }],
    ['always_off', undefined, { root: 'off', isParentBased: false }],
    ['traceidratio', '0.25', { root: { ratio: 0.25 }, isParentBased: false }],
    ['parentbased_always_on', '0.25', ON],
    ['parentbased_always_off', undefined, { root: 'off', isParentBased: true }],
    ['parentbased_traceidratio', undefined, { root: { ratio: 1 }, isParentBased: true }],
  ])('say which are kept: %s %s', (name, arg, sampler) => {
    const read = readTracing({ ...ENDPOINT, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg })
    expect(read).toMatchObject({ sampler })
  })

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', { OTEL_EXPORTER_OTLP_ENDPOINT: 'S3CRET:4318' }],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', { OTEL_EXPORTER_OTLP_ENDPOINT: 'S3CRET' }],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'ftp://S3CRET' }],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'S3CRET' }],
    ['OTEL_TRACES_EXPORTER', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'S3CRET' }],
    ['OTEL_TRACES_SAMPLER', { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'S3CRET' }],
    ...['2', '-1', 'S3CRET'].map((arg): [string, object] => [
      'OTEL_TRACES_SAMPLER_ARG',
      { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: arg },
    ]),
  ])('that cannot be used are named: %s', (name, variables) => {
    const problem = (readTracing(variables) as { problem: string }).problem
    expect(problem).toContain(name)
    expect(problem).not.toContain('S3CRET')
  })
})
