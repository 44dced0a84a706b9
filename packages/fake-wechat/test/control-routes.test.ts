import { afterEach, beforeEach, expect, it } from 'vitest'
import { type FakeWechat, SANDBOX_APP_ID, startFakeWechat } from '../src/index.ts'
import { post, send, stableToken, text } from './client.ts'

let fake: FakeWechat
let token: string
beforeEach(async () => {
  fake = await startFakeWechat({ windows: 'strict' })
  token = (await stableToken(fake)).access_token ?? ''
})
afterEach(() => fake.close())
const control = async (path: string, body: unknown = {}) => {
  const response = await post(fake, `/_control/${path}`, body)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const read = async (path: string) => (await fetch(`${fake.url}/_control/${path}`)).json()
const sendTo = async (openid: string) => (await send(fake, token, text(openid))).errcode

it('lets users act', async () => {
  expect(await sendTo('oAnna')).toBe(45015)
  expect(await control('users/oAnna', { action: 'enter' })).toEqual({ status: 200, body: { ok: true } })
  expect([await sendTo('oAnna'), await sendTo('oAnna'), await sendTo('oAnna')]).toEqual([0, 0, 45047])
})

it('changes windows and tokens', async () => {
  await control('windows', { messageLimit: 1 })
  await control('users/oAnna', { action: 'message' })
  expect([await sendTo('oAnna'), await sendTo('oAnna')]).toEqual([0, 45047])
  await control('tokens', { forceMinIntervalS: 0, expiresInS: 60 })
  expect((await stableToken(fake, { force_refresh: true })).expires_in).toBe(60)
  await control('tokens/invalidate', { appid: SANDBOX_APP_ID })
  expect(await sendTo('oAnna')).toBe(40001)
  await control('apps', { appid: SANDBOX_APP_ID, secret: 'other' })
  expect((await stableToken(fake)).errcode).toBe(40125)
})

it('adds, lists and removes faults', async () => {
  const { body } = await control('faults', { fault: { name: 'errcode', errcode: -1 } })
  await control('faults', { fault: 'html502', touser: 'oBert' })
  expect(await sendTo('oAnna')).toBe(-1)
  expect(await read('faults')).toMatchObject({ faults: [{ id: body.id, hits: 1 }, { hits: 0 }] })
  await fetch(`${fake.url}/_control/faults?id=${String(body.id)}`, { method: 'DELETE' })
  expect(await sendTo('oAnna')).toBe(45015)
  await fetch(`${fake.url}/_control/faults`, { method: 'DELETE' })
  expect(await read('faults')).toEqual({ faults: [] })
})

it('shows the ledger from a sequence number on, and the summary', async () => {
  await control('users/oAnna', { action: 'open' })
  for (let i = 0; i < 3; i += 1) await sendTo('oAnna')
  const page = (await read('ledger?since=1')) as Record<string, unknown>
  expect(page).toMatchObject({ sends: [{ seq: 2, body: text('oAnna') }, { seq: 3 }], tokenCalls: [{ kind: 'stable' }] })
  expect(page.tokensIssued).toEqual([token])
  expect(await read('summary')).toMatchObject({ sends: 3, accepted: 3, doubles: 2, byErrcode: { '0': 3 } })
})

it('goes back to the start, with or without the tokens', async () => {
  await control('faults', { fault: 'html502' })
  await control('users/oAnna', { action: 'open' })
  await control('reset', { keepTokens: true })
  expect(await sendTo('oAnna')).toBe(45015)
  expect(await read('summary')).toMatchObject({ sends: 1, tokenCalls: { stable: 0 } })
  await control('reset')
  expect(await sendTo('oAnna')).toBe(40001)
  expect(fake.ledger.tokensIssued.has(token)).toBe(true)
})

it.each([
  ['users/oAnna', { action: 'dance' }, /^action must be one of/],
  ['faults', { fault: 'meteor' }, /^fault\.name/],
  ['windows', { messageLimit: 'many' }, /^messageLimit must be a number/],
  ['tokens', { lifetime: 1 }, /^lifetime is not one of expiresInS/],
  ['apps', {}, /^appid and secret/],
  ['reset', '{"not json', /JSON/],
])('refuses nonsense for %s with 400 and the reason', async (path, body, reason) => {
  const answer = await control(path, body)
  expect(answer.status).toBe(400)
  expect(answer.body.error).toMatch(reason)
})
