import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeWechat, SANDBOX_APP_ID, startFakeWechat } from '../src/index.ts'
import { send, sendRaw, stableToken, text } from './client.ts'

let fake: FakeWechat
let token: string
beforeEach(async () => {
  fake = await startFakeWechat()
  token = (await stableToken(fake)).access_token ?? ''
})
afterEach(() => fake.close())

it('takes every kind of message and answers as WeChat does', async () => {
  const page = { title: 't', pagepath: 'p', thumb_media_id: 'm' }
  const link = { title: 't', description: 'd', url: 'u', thumb_url: 'h' }
  const parts = [
    { msgtype: 'text', text: { content: '您好' } },
    { msgtype: 'image', image: { media_id: 'm' } },
    { msgtype: 'link', link },
    { msgtype: 'miniprogrampage', miniprogrampage: page },
  ]
  for (const part of parts) {
    const response = await sendRaw(fake, token, { touser: 'oAnna', ...part })
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await response.text()).toBe('{"errcode":0,"errmsg":"ok"}')
  }
  expect(fake.ledger.acceptedCount()).toBe(4)
})

it('writes every request into the ledger, in order and with what was sent', async () => {
  await send(fake, token, text('oAnna', 'one'))
  await send(fake, 'nonsense', text('oBert', 'two'))
  await send(fake, token, '{"not json')
  expect(fake.ledger.sends()).toMatchObject([
    {
      seq: 1,
      appid: SANDBOX_APP_ID,
      touser: 'oAnna',
      msgtype: 'text',
      body: text('oAnna', 'one'),
      rawBody: JSON.stringify(text('oAnna', 'one')),
      contentType: 'application/json',
      method: 'POST',
      path: '/cgi-bin/message/custom/send',
      errcode: 0,
      accepted: true,
    },
    { seq: 2, appid: null, touser: 'oBert', errcode: 40001, accepted: false },
    { seq: 3, touser: null, body: null, rawBody: '{"not json', errcode: 47001, accepted: false },
  ])
  expect(fake.ledger.sends(2).map(({ seq }) => seq)).toEqual([3])
  expect(fake.ledger.accepted().map(({ seq }) => seq)).toEqual([1])
  expect(JSON.stringify(fake.ledger.sends())).not.toContain(token)
})

it.each([
  ['no JSON', 'touser=1', 47001],
  ['a JSON array', '[]', 47001],
  ['no touser', { msgtype: 'text', text: { content: 'x' } }, 40003],
  ['a touser that is no openid', text('not an openid'), 40003],
  ['no msgtype', { touser: 'oAnna', text: { content: 'x' } }, 40008],
  ['an unknown msgtype', { touser: 'oAnna', msgtype: 'hologram' }, 40008],
  ['a msgtype that every object has', { touser: 'oAnna', msgtype: 'constructor' }, 40008],
  ['no text', { touser: 'oAnna', msgtype: 'text' }, 44004],
  ['an empty text', text('oAnna', ''), 44004],
  ['a text of more than 2048 bytes', text('oAnna', '字'.repeat(683)), 45002],
  ['no media_id', { touser: 'oAnna', msgtype: 'image', image: {} }, 40007],
  ['a link without a title', { touser: 'oAnna', msgtype: 'link', link: { url: 'u' } }, 44004],
  ['an unknown openid', text('oUnknown7'), 40003],
  ['an openid that says it is unknown', text('unknown7'), 40003],
])('refuses %s', async (_case, body, errcode) => {
  const answer = await send(fake, token, body)
  expect(answer.errcode).toBe(errcode)
  expect(fake.ledger.acceptedCount()).toBe(0)
})

describe('the access token', () => {
  it('is missed with 41001 and refused with 40001', async () => {
    expect((await send(fake, '', text('oAnna'))).errcode).toBe(41001)
    expect((await send(fake, 'x'.repeat(200), text('oAnna'))).errcode).toBe(40001)
  })
})

it('ends an errmsg with a hint and a rid that begins with the time', async () => {
  const before = Math.floor(Date.now() / 1000)
  const { errmsg = '' } = await send(fake, 'wrong', text('oAnna'))
  const rid = / hint: \[\w+\] rid: ([0-9a-f]+)-[0-9a-f]{8}-[0-9a-f]{8}$/.exec(errmsg)
  expect(Number.parseInt(rid?.[1] ?? '', 16)).toBeGreaterThanOrEqual(before)
})

it('answers a wrong method and an unknown path with an errcode', async () => {
  const get = await fetch(`${fake.url}/cgi-bin/message/custom/send`)
  expect(await get.json()).toMatchObject({ errcode: 43002 })
  const unknown = await fetch(`${fake.url}/cgi-bin/nothing`)
  expect(await unknown.json()).toMatchObject({ errcode: 40066 })
})

it('counts what was taken twice', async () => {
  await send(fake, token, text('oAnna', 'same'))
  await send(fake, token, text('oAnna', 'same'))
  await send(fake, token, text('oBert', 'same'))
  await send(fake, token, text('oUnknown', 'same'))
  expect(fake.ledger.summary()).toMatchObject({
    sends: 4,
    accepted: 3,
    doubles: 1,
    byErrcode: { 0: 3, 40003: 1 },
    dropped: 0,
  })
})
