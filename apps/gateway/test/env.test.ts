import { newApiKey } from '@wechat-outbox/runtime'
import { describe, expect, it } from 'vitest'
import { gatewayEnvSchema, readGatewayConfig } from '../src/index.ts'

const REDIS_URL = 'redis://127.0.0.1:6379'

it('needs nothing but a Redis', () => {
  expect(readGatewayConfig({ REDIS_URL })).toEqual({
    REDIS_URL,
    WECHAT_API_BASE_URL: 'https://api.weixin.qq.com',
    ALLOW_UNKNOWN_APPS: false,
    WECHAT_ALLOW_HTTP: false,
    GATEWAY_HOST: '127.0.0.1',
    GATEWAY_PORT: 3000,
    IDEMPOTENCY_TTL_HOURS: 72,
    TEXT_BYTES_MAX: 2048,
    TEXT_SPLIT: false,
    WINDOW_MESSAGE: '5/48h',
    WINDOW_ENTER: '2/1m',
    DASHBOARD_SHOW_CONTENT: false,
    LOG_LEVEL: 'info',
    MEDIA_BYTES_MAX: 2_097_152,
    SHUTDOWN_TIMEOUT_MS: 25_000,
  })
  expect(() => readGatewayConfig({})).toThrow('REDIS_URL is missing')
})

it.each([
  [{ DASHBOARD_USER: 'operator' }, 'set both or neither'],
  [{ DASHBOARD_PASSWORD: 'secret-1' }, 'set both or neither'],
  [{ DASHBOARD_USER: 'a:b', DASHBOARD_PASSWORD: 'secret-1' }, 'colon'],
  [{ WINDOW_MESSAGE: '5' }, 'WINDOW_MESSAGE must be a number of messages and a time'],
  [{ ON_CLOSED: 'wait' }, 'ON_CLOSED must be dead-letter, hold or refuse'],
  [{ DASHBOARD_SHOW_CONTENT: 'yes' }, 'DASHBOARD_SHOW_CONTENT must be true or false'],
  [{ GATEWAY_HOST: '0.0.0.0' }, 'set GATEWAY_API_KEYS or GATEWAY_KEYS_FILE'],
  [{ GATEWAY_HOST: 'gateway.internal' }, 'set GATEWAY_API_KEYS or GATEWAY_KEYS_FILE'],
  [{ GATEWAY_HOST: '::', GATEWAY_API_KEYS: '' }, 'set GATEWAY_API_KEYS or GATEWAY_KEYS_FILE'],
  [{ GATEWAY_API_KEYS: 'secret-1' }, 'GATEWAY_API_KEYS: key 1 must have 24'],
  [{ GATEWAY_KEYS_FILE: '/secret-1/nowhere' }, 'GATEWAY_KEYS_FILE cannot be read'],
  [{ GATEWAY_PORT: '70000' }, 'GATEWAY_PORT'],
  [{ GATEWAY_ALLOWED_HOSTS: 'https://ops.example.com' }, 'GATEWAY_ALLOWED_HOSTS'],
  [{ WECHAT_APP_ID: 'wx1' }, 'WECHAT_APP_ID must be wx and 16 hex digits'],
  [{ PUSH_TOKEN: 'secret-1' }, 'PUSH_TOKEN must be 3 to 32 letters and digits'],
  [{ PUSH_TOKEN: 'secret1' }, 'WECHAT_APP_ID is missing'],
  [{ PUSH_AES_KEY: 'secret-1' }, 'PUSH_AES_KEY must be the EncodingAESKey of WeChat’s console: 43 letters and digits'],
  [{ PUSH_FORWARD_URL: 'https://service.example/secret-1' }, 'PUSH_TOKEN is missing'],
  [
    { PUSH_FORWARD_URL: 'https://u:secret-1@service.example/' },
    'PUSH_FORWARD_URL must be an http or https URL without',
  ],
  [{ WECHAT_APPS_FILE: '/secret-1/nowhere' }, 'WECHAT_APPS_FILE cannot be read'],
  [{ REDIS_URL: 'secret-1' }, 'REDIS_URL'],
  [{ WECHAT_API_BASE_URL: 'http://secret-1.example' }, 'WECHAT_API_BASE_URL: the WeChat base URL must be https'],
])('refuses %j and never repeats a value', (env, message) => {
  const read = () => readGatewayConfig({ REDIS_URL, ...env })
  expect(read).toThrow(message)
  expect(read).not.toThrow('secret-1')
})

describe('on a host that others reach', () => {
  const exposed = { REDIS_URL, GATEWAY_HOST: '0.0.0.0', DASHBOARD_USER: 'operator' }
  const key = 'a-key-for-these-tests-alone'
  const read = (env: Record<string, string>) => () => readGatewayConfig({ ...exposed, ...env })

  it.each([
    ...[
      'secret',
      'Zq7-vK2-pX',
      'aaaaaaaaaaaaaaaaaaaaaaaa',
      '123456789012345678',
      'password12345678',
      'operator-operator',
    ],
    ...['qwertyuiopasdfgh', 'passwordpassword', 'P@ssw0rd2024!', 'abcdefghijklmnop', '操作员操作员操作员操作员'],
  ])('refuses the password %s, which stands nowhere in what it says', (password) => {
    const weak = read({ GATEWAY_API_KEYS: key, DASHBOARD_PASSWORD: password })
    expect(weak).toThrow('DASHBOARD_PASSWORD is too easy to guess')
    expect(weak).not.toThrow(password)
    // Nobody else is there.
    expect(read({ GATEWAY_HOST: '127.0.0.1', DASHBOARD_PASSWORD: password })).not.toThrow()
  })

  it.each(['x'.repeat(24), '123456789012345678901234', 'passwordpasswordpassword'])('refuses the key %s', (weak) => {
    const env = { GATEWAY_API_KEYS: `${key},${weak}`, DASHBOARD_PASSWORD: 'dK3jF8sL2mQ9' }
    expect(read(env)).toThrow('GATEWAY_API_KEYS: key 2 is too easy to guess')
    expect(read(env)).not.toThrow(weak)
  })

  it('takes what nobody guesses', () => {
    for (const password of ['dK3jF8sL2mQ9', 'correct horse battery staple', '我的猫喜欢在雨后的屋顶上看月亮'])
      expect(read({ GATEWAY_API_KEYS: key, DASHBOARD_PASSWORD: password })).not.toThrow()
    expect(read({ GATEWAY_API_KEYS: newApiKey(), DASHBOARD_PASSWORD: 'x'.repeat(100_000) })).toThrow('too easy')
  })
})

it('says everything that is wrong at once', () => {
  const env = {
    REDIS_URL: 'redis://h?db=5',
    WECHAT_API_BASE_URL: 'http://secret-1.example',
    GATEWAY_PORT: 'x',
    GATEWAY_HOST: '0.0.0.0',
    DASHBOARD_USER: 'operator',
  }
  expect(() => readGatewayConfig(env)).toThrow(
    expect.objectContaining({
      problems: [
        expect.stringMatching(/^REDIS_URL .*`db=` is not understood/),
        expect.stringMatching(/^GATEWAY_PORT must be/),
        expect.stringMatching(/^DASHBOARD_USER and DASHBOARD_PASSWORD/),
        expect.stringMatching(/^GATEWAY_HOST is not a loopback/),
        expect.stringMatching(/^WECHAT_API_BASE_URL: /),
      ],
    }),
  )
})

it('describes every variable', () => {
  for (const [name, field] of Object.entries(gatewayEnvSchema.shape)) expect(field.description, name).toMatch(/\w{3}/)
})
