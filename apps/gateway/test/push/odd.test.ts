// Pushes that are signed and odd: each is answered as what it is, and none opens a window that nobody opened.
import { appPrefix } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makePush, nowS, type PushWorld, push, startPushWorld, TOKEN } from '../support/push.ts'
import { APPID, openGateway, type TestGateway } from '../support/world.ts'

let opened: PushWorld
let gateway: TestGateway
beforeAll(async () => {
  opened = await startPushWorld()
  const { WECHAT_APPS_FILE: _, ...env } = opened.env
  gateway = await openGateway({ ...env, PUSH_TOKEN: TOKEN })
})
afterAll(async () => {
  await gateway?.close()
  await opened?.close()
})

const windowOf = (touser: string) => opened.world.outbox.window(touser)
const send = async (message: string) => (await push(gateway.url, makePush({}, { form: 'xml', message }))).status
const xml = (touser: string, more: { created?: string | number; msgId?: string; rest?: string } = {}): string => {
  const { created = nowS(), msgId = '1', rest = '' } = more
  return `<xml><FromUserName>${touser}</FromUserName><CreateTime>${created}</CreateTime><MsgType>text</MsgType><MsgId>${msgId}</MsgId>${rest}</xml>`
}
const json = (touser: string, created: string): string =>
  `{"FromUserName":"${touser}","CreateTime":${created},"MsgType":"text","MsgId":1}`

it.each<[what: string, body: (touser: string) => string, status: number, state: string]>([
  ['a time years ahead, which is now', (touser) => xml(touser, { created: nowS() + 300_000_000 }), 200, 'open'],
  ['a time that no calendar has', (touser) => xml(touser, { created: 99_999_999_999 }), 200, 'unknown'],
  ['a time years ago', (touser) => xml(touser, { created: 1 }), 200, 'unknown'],
  ['a time before all times', (touser) => xml(touser, { created: -5 }), 200, 'unknown'],
  ['a time beyond all numbers', (touser) => xml(touser, { created: '9'.repeat(400) }), 200, 'unknown'],
  ['a time that is no whole number', (touser) => json(touser, '1.9e9'), 200, 'unknown'],
  ['a time that is none', (touser) => json(touser, 'null'), 200, 'unknown'],
  ['an id beyond all numbers', (touser) => xml(touser, { msgId: '9'.repeat(5000) }), 200, 'open'],
  [
    'a person twice in XML',
    (touser) => xml(touser, { rest: `<FromUserName>${touser}</FromUserName>` }),
    200,
    'unknown',
  ],
  ['a person within a person', (touser) => xml(`<a>${touser}</a>`), 200, 'unknown'],
  ['a person in entities', (touser) => xml(`&#x6f;${touser.slice(1)}`), 200, 'unknown'],
  ['a person in a section', (touser) => xml(`<![CDATA[${touser}]]>`), 200, 'open'],
  ['a section within a section', (touser) => xml(`<![CDATA[<![CDATA[${touser}]]>]]>`), 200, 'unknown'],
  ['a person in attributes', (touser) => xml(`" FromUserName="${touser}`), 200, 'unknown'],
  ['a byte order mark', (touser) => `\uFEFF${json(touser, String(nowS()))}`, 200, 'open'],
  ['two roots', (touser) => `${xml('o-other-root')}${xml(touser)}`, 400, 'unknown'],
  ['a list', (touser) => `[${json(touser, String(nowS()))}]`, 400, 'unknown'],
  ['a document type', (touser) => `<!DOCTYPE xml [<!ENTITY a "b">]>${xml(touser)}`, 400, 'unknown'],
])('with %s', async (what, body, status, state) => {
  const touser = `o-odd-${what.replaceAll(/\W+/g, '-')}`
  expect([await send(body(touser)), (await windowOf(touser)).state]).toEqual([status, state])
})

it('two of one second, of which WeChat repeats the first, begin two counts and no third', async () => {
  const touser = 'o-same-second'
  const created = nowS()
  for (const msgId of ['1', '2']) await send(xml(touser, { created, msgId }))
  const { redis } = opened.world.store
  const key = `${appPrefix(APPID)}:window:${touser}`
  await redis.hset(key, 'used', 3)
  for (const msgId of ['1', '2', '1']) expect(await send(xml(touser, { created, msgId }))).toBe(200)
  expect((await windowOf(touser)).remaining).toBe(2)
})
