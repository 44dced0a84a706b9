import { describe, expect, it } from 'vitest'
import { isLoopback, parseBaseUrl } from '../src/base-url.ts'

describe('parseBaseUrl', () => {
  it.each([
    ['https://api.weixin.qq.com', 'https://api.weixin.qq.com', ''],
    ['https://api.weixin.qq.com/', 'https://api.weixin.qq.com', ''],
    ['https://proxy.example:8443/a/b//', 'https://proxy.example:8443', '/a/b'],
    ['http://127.0.0.1:8080/wx', 'http://127.0.0.1:8080', '/wx'],
    ['http://127.9.9.9', 'http://127.9.9.9', ''],
    ['http://[::1]:8080', 'http://[::1]:8080', ''],
    ['http://localhost', 'http://localhost', ''],
  ])('takes %s', (baseUrl, origin, prefix) => {
    expect(parseBaseUrl(baseUrl)).toEqual({ origin, prefix })
  })

  it.each([
    ['', /not a valid URL/u],
    ['api.weixin.qq.com', /not a valid URL/u],
    ['http://api.weixin.qq.com', /must be https/u],
    ['http://127.0.0.1.evil.example', /must be https/u],
    ['http://localhost.evil.example', /must be https/u],
    ['http://10.0.0.1', /must be https/u],
    ['http://0.0.0.0', /must be https/u],
    ['ftp://127.0.0.1', /must be https/u],
    ['https://name:pa55@api.weixin.qq.com', /must not contain credentials/u],
    ['https://api.weixin.qq.com/?access_token=pa55', /query or a fragment/u],
    ['https://api.weixin.qq.com/#pa55', /query or a fragment/u],
  ])('refuses %s and does not repeat it', (baseUrl, message) => {
    expect(() => parseBaseUrl(baseUrl)).toThrow(message)
    expect(() => parseBaseUrl(baseUrl)).not.toThrow(/pa55|example/u)
  })
})

it('plain http goes to any address where that is allowed, and everything else stays forbidden', () => {
  const allowHttp = true
  expect(() => parseBaseUrl('http://api.weixin.qq.com')).toThrow('WECHAT_ALLOW_HTTP')
  expect(parseBaseUrl('http://api.weixin.qq.com/x/', { allowHttp })).toEqual({
    origin: 'http://api.weixin.qq.com',
    prefix: '/x',
  })
  for (const url of ['ftp://a', 'http://u:p@a', 'http://a?b', 'a']) {
    expect(() => parseBaseUrl(url, { allowHttp })).toThrow()
  }
})

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['localhost.example', false],
])('knows whether %s is loopback', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})
