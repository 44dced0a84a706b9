import { describe, expect, it } from 'vitest'
import { outgoingOf, outgoingText } from '../src/outgoing.ts'

const SANDBOX = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  WECHAT_APP_ID: 'wx5a4d0b0c0ffee000',
  WECHAT_APP_SECRET: 'any',
  WECHAT_API_BASE_URL: 'http://127.0.0.1:1',
}
const CALLBACKS = {
  CALLBACK_URL: 'https://hooks.example.com:8443/wechat?key=S3CRET',
  CALLBACK_SECRET: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
}
const TRACES = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
const textOf = (env: Record<string, string>): string => outgoingText(outgoingOf({ ...SANDBOX, ...env }))

describe('what leaves the machine of a sandbox', () => {
  it('is nothing, unless the environment says so', () => expect(textOf({})).toBe('Nothing leaves this machine.'))

  it('is callbacks, by the host of their receiver alone', () =>
    expect(textOf(CALLBACKS)).toBe('Nothing leaves this machine but callbacks, to hooks.example.com:8443.'))

  it('is traces', () =>
    expect(textOf({ ...TRACES, ...CALLBACKS })).toBe(
      'Nothing leaves this machine but callbacks, to hooks.example.com:8443, and traces, to collector:4318.',
    ))

  it.each([{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }, { OTEL_TRACES_SAMPLER: 'nonsense' }])(
    'is no trace where none is sent: %j',
    (off) => expect(textOf({ ...TRACES, ...off })).toBe('Nothing leaves this machine.'),
  )
})
