import { cleanErrmsg } from '@wechat-outbox/messages'
import { SEND_ERRCODES, TOKEN_ERRCODES } from '@wechat-outbox/policy'
import { describe, expect, it } from 'vitest'
import { knownReason, maskErrmsg, maskFailedReason } from '../src/mask-words.ts'
import { ERRMSGS, WITHOUT_TEXT } from './support/errmsgs.ts'

const CODES = [...new Set([...SEND_ERRCODES, ...TOKEN_ERRCODES].map(({ errcode }) => errcode))]

describe('what WeChat says beside a code', () => {
  it('stands here for every code of the table', () => {
    const told = CODES.filter((code) => !WITHOUT_TEXT.has(code)).toSorted((a, b) => a - b)
    expect(
      Object.keys(ERRMSGS)
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(told)
    expect([...WITHOUT_TEXT].filter((code) => !CODES.includes(code))).toEqual([])
  })

  it.each(Object.entries(ERRMSGS).flatMap(([code, texts]) => texts.map((text) => [code, text] as const)))(
    'is shown whole: %s %s',
    (_code, text) => {
      // As it is stored: no address is.
      const stored = cleanErrmsg(`${text} rid: 5f3ded7d-04448f4b-0a6e7fd1`)
      expect(maskErrmsg(stored)).toBe(stored)
      expect(maskErrmsg(stored.toUpperCase().replace(/RID:.*/, ''))).not.toContain('•••')
    },
  )
})

it.each([
  'response out of time limit',
  'invalid credential, access_token is invalid or not latest, rid: 5f3ded7d-04448f4b-0a6e7fd1',
  'api unauthorized hints: [req_id]',
  'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist',
  'reply count out of limit',
  'system error',
  'invalid openid',
  'HTTP 502 without a JSON object',
  'connect ECONNREFUSED',
  'dns ENOTFOUND',
  'timeout while waiting for headers',
  'the worker ended while the call was open',
  'picture: HTTP 404',
  'picture: the host has no public address',
  'upload: invalid image size',
])('leaves the words of WeChat and of the connection: %s', (text) => {
  expect(maskErrmsg(text)).toBe(text)
})

it.each([
  ['content 您的验证码是 493817 refused', 'content ••• refused'],
  ['picture: more than 3 redirects', 'picture: more than ••• redirects'],
  ['493817', '•••'],
  ['4 9 3 8 1 7', '•••'],
  ['data: ZGllIFBJTg==', 'data: •••'],
  ['text: Zürich 👋, text', 'text: •••, text'],
  ['rid: 493817-1-1', 'rid: •••'],
  ['Alice', '•••'],
])('hides every other word: %s', (text, masked) => {
  expect(maskErrmsg(text)).toBe(masked)
})

it('keeps code and name of a failure where the name is one of ours', () => {
  expect(maskFailedReason('45015 reply-window-closed: response out of time limit')).toBe(
    '45015 reply-window-closed: response out of time limit',
  )
  expect(maskFailedReason('45015 reply-window-closed: PIN 493817')).toBe('45015 reply-window-closed: •••')
  expect(maskFailedReason('expired')).toBe('expired')
  expect(maskFailedReason('493817 alice: bob')).toBe('•••')
  expect(maskFailedReason('Error: PIN 493817')).toBe('Error: •••')
})

it('knows what every reason means', () => {
  for (const { name, meaning } of SEND_ERRCODES) expect(knownReason(name)?.meaning).toEqual(meaning)
  expect(knownReason('constructor')).toBeUndefined()
})
