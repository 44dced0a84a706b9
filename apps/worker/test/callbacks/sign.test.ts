import { randomBytes } from 'node:crypto'
import { callbackKey } from '@wechat-outbox/wechat'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { signatureOf } from '../../src/callbacks/sign.ts'

const body = JSON.stringify({ type: 'message.dead', data: { touser: 'o测试' } })

it.each([24, 32, 64])('makes signatures with a key of %i bytes that the library of the standard takes', (bytes) => {
  const secret = `whsec_${randomBytes(bytes).toString('base64')}`
  const headers = signatureOf(callbackKey(secret), { id: 'c-1-dead', nowMs: Date.now(), body })
  expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
})

it('makes none that fits another body, id, time or key', () => {
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const headers = signatureOf(callbackKey(secret), { id: 'c-1-dead', nowMs: Date.now(), body })
  const verify =
    (text: string, changed: object, key = secret) =>
    () =>
      new Webhook(key).verify(text, { ...headers, ...changed })
  expect(verify(body, {})).not.toThrow()
  expect(verify(`${body} `, {})).toThrow(WebhookVerificationError)
  expect(verify(body, { 'webhook-id': 'c-2-dead' })).toThrow(WebhookVerificationError)
  expect(verify(body, { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) + 1) })).toThrow(
    WebhookVerificationError,
  )
  expect(verify(body, {}, `whsec_${randomBytes(24).toString('base64')}`)).toThrow(WebhookVerificationError)
})

it('is out of date after five minutes', () => {
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const headers = signatureOf(callbackKey(secret), { id: 'c-1-dead', nowMs: Date.now() - 301_000, body })
  expect(() => new Webhook(secret).verify(body, headers)).toThrow(/too old/i)
})
