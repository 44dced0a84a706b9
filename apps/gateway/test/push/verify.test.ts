// WeChat’s own examples of signatures and encryption, and another library’s encryption.
import { encrypt } from '@wecom/crypto'
import { describe, expect, it } from 'vitest'
import { decryptPush } from '../../src/push/decrypt.ts'
import { actionOf, readPushFields } from '../../src/push/read-push.ts'
import { isSigned } from '../../src/push/signature.ts'
import { verifyBody, verifyHead } from '../../src/push/verify.ts'

// https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
const APPID = 'wxba5fad812f8e6fb9'
const TOKEN = 'AAAAA'
const AES_KEY = 'A'.repeat(43)
const ENCRYPTED =
  '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04='
const secureQuery = {
  signature: '6c5c811b55cc85e0e1b54100749188c20beb3f5d',
  timestamp: '1714112445',
  nonce: '415670741',
  openid: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
  encrypt_type: 'aes',
  msg_signature: '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3',
}

// The sample that comes with WeChat’s WXBizMsgCrypt: https://wximg.gtimg.com/shake_tv/mpwiki/cryptoDemo.zip
const SAMPLE = {
  appid: 'wx5823bf96d3bd56c7',
  token: 'QDG6eK',
  aesKey: 'jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C',
  query: { msg_signature: '477715d11cdb4164915debcba66cb864d751f3e6', timestamp: '1409659813', nonce: '1372623149' },
  encrypted:
    'RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==',
}

function fieldsOf(body: string, app: { appid: string; token: string; aesKey: string; query: Record<string, string> }) {
  const config = { token: app.token, aesKey: app.aesKey }
  const now = Number(app.query['timestamp']) * 1000
  const head = verifyHead({ appid: app.appid, config, query: app.query, isCheck: false, now })
  if (head.kind === 'refused') return head
  const verified = verifyBody(Buffer.from(body), head)
  return verified.kind === 'push' ? Object.fromEntries(verified.fields) : verified
}

describe('WeChat’s own examples', () => {
  it.each([
    ['a verification', 'f464b24fc39322e44b38aa78f5edd27bd1441696', ['1714036504', '1514711492']],
    ['a plain push', '899cf89e464efb63f54ddac96b0a0a235f53aa78', ['1714037059', '486452656']],
    ['a push in secure mode', secureQuery.msg_signature, ['1714112445', '415670741', ENCRYPTED]],
  ])('of the signature of %s hold', (_what, signature, parts) => {
    expect(isSigned(signature, [TOKEN, ...parts])).toBe(true)
    expect(isSigned(signature.replace(/.$/, '0'), [TOKEN, ...parts])).toBe(signature.endsWith('0'))
    expect(isSigned(signature, ['AAAAB', ...parts])).toBe(false)
  })

  it('of secure mode are read, in JSON and in XML', () => {
    const app = { appid: APPID, token: TOKEN, aesKey: AES_KEY, query: secureQuery }
    expect(fieldsOf(JSON.stringify({ ToUserName: 'gh_97417a04a28d', Encrypt: ENCRYPTED }), app)).toEqual({
      ToUserName: 'gh_97417a04a28d',
      FromUserName: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
      CreateTime: '1714112445',
      MsgType: 'event',
      Event: 'debug_demo',
      debug_str: 'hello world',
    })
    const xml = `<xml><ToUserName><![CDATA[${SAMPLE.appid}]]></ToUserName><Encrypt><![CDATA[${SAMPLE.encrypted}]]></Encrypt></xml>`
    expect(fieldsOf(xml, SAMPLE)).toMatchObject({
      FromUserName: 'mycreate',
      CreateTime: '1409659813',
      MsgType: 'text',
      Content: 'hello',
      MsgId: '4561255354251345929',
    })
  })

  it('are refused for another app, key or token, and minutes later', () => {
    const app = { appid: APPID, token: TOKEN, aesKey: AES_KEY, query: secureQuery }
    const body = JSON.stringify({ Encrypt: ENCRYPTED })
    expect(fieldsOf(body, { ...app, appid: 'wxba5fad812f8e6fb8' })).toMatchObject({ reason: 'appid' })
    expect(fieldsOf(body, { ...app, aesKey: 'B'.repeat(43) })).toMatchObject({ reason: 'ciphertext' })
    expect(fieldsOf(body, { ...app, token: 'BBBBB' })).toMatchObject({ reason: 'signature' })
    const config = { token: TOKEN, aesKey: AES_KEY }
    const head = (now: number) => verifyHead({ appid: APPID, config, query: secureQuery, isCheck: false, now })
    const at = 1_714_112_445_000
    expect([-301_000, -299_000, 299_000, 301_000].map((off) => head(at + off).kind)).toEqual([
      'refused',
      'addressed',
      'addressed',
      'refused',
    ])
  })
})

describe('a message that another library has encrypted', () => {
  it('is read whatever its length', () => {
    for (let chars = 0; chars < 70; chars += 1) {
      const message = '长'.repeat(chars)
      expect(decryptPush(encrypt(AES_KEY, message, APPID), { aesKey: AES_KEY, appid: APPID })).toEqual({
        kind: 'message',
        bytes: Buffer.from(message),
      })
    }
  })

  it.each([
    ['nothing', ''],
    ['half a block', Buffer.alloc(8).toString('base64')],
    ['noise', Buffer.alloc(320, 7).toString('base64')],
    ['no base64', '!!!'],
  ])('is refused when it is %s', (_what, encrypted) => {
    expect(decryptPush(encrypted, { aesKey: AES_KEY, appid: APPID })).toEqual({ kind: 'refused', reason: 'ciphertext' })
  })
})

describe('what a push tells', () => {
  const at = 1_714_112_445_000
  const action = (text: string) => {
    const fields = readPushFields(Buffer.from(text))
    return fields && actionOf(fields)
  }
  const json = (more: object) => action(JSON.stringify({ FromUserName: 'oAnna', CreateTime: at / 1000, ...more }))

  it('is a message of any type, with an id beyond what a number holds', () => {
    const text = `{"FromUserName":"oAnna","CreateTime":1714112445,"MsgType":"text","MsgId":24563721467123456789}`
    expect(action(text)).toEqual({ touser: 'oAnna', action: 'message', at, id: '24563721467123456789' })
    const xml = text
      .replaceAll(/[{}"]/g, '')
      .split(',')
      .map((field) => field.replace(/(\w+):(.*)/, '<$1>$2</$1>'))
    expect(action(`<?xml version="1.0"?>\n<xml>${xml.join('\n')}</xml>`)).toEqual(action(text))
    for (const MsgType of ['image', 'miniprogrampage', 'voice']) {
      expect(json({ MsgType, MsgId: '7' })).toMatchObject({ action: 'message', id: '7' })
    }
  })

  it('is that the user entered the session, and no other event', () => {
    expect(json({ MsgType: 'event', Event: 'user_enter_tempsession' })).toEqual({
      ...{ touser: 'oAnna', action: 'enter', at },
      id: '1714112445-user_enter_tempsession',
    })
    for (const Event of ['debug_demo', 'wxa_media_check', undefined])
      expect(json({ MsgType: 'event', Event })).toBe(undefined)
    expect(json({ MsgType: 'text', FromUserName: 'no openid' })).toBe(undefined)
    expect(json({ MsgType: 'text', CreateTime: 'now' })).toBe(undefined)
    expect(json({})).toBe(undefined)
  })

  it.each([
    ['a DOCTYPE', '<!DOCTYPE xml [<!ENTITY a "aaa">]><xml><FromUserName>&a;</FromUserName></xml>'],
    ['a DOCTYPE behind the declaration', '<?xml version="1.0"?><!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml></xml>'],
    ['another root', '<html><xml></xml></html>'],
    ['nested tags without end', `<xml>${'<a>'.repeat(4000)}`],
    ['more tags than a text has', `<xml>${'<a/>'.repeat(1000)}</xml>`],
    ['more sections than a text has', `<xml><a>${'<![CDATA[b]]>'.repeat(1000)}</a></xml>`],
    ['a prototype', '<xml><__proto__><x>1</x></__proto__></xml>'],
    ['nested lists without end', `{"a":${'['.repeat(5000)}`],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a list', '[]'],
    ['nothing', ''],
  ])('is nothing when it is %s', (_what, body) => {
    expect(readPushFields(Buffer.from(body))).toBe(undefined)
  })

  it('may be a text that is full of what begins a tag', () => {
    const content = '<'.repeat(2000)
    const xml = `<xml><Content><![CDATA[${content}]]></Content></xml>`
    expect(readPushFields(Buffer.from(xml))?.get('Content')).toBe(content)
  })

  it('is its words as they are: no entity becomes anything', () => {
    const xml = '<xml><!DOCTYPE a [<!ENTITY b "cccc">]><Content>&b;&lt;&#65;</Content></xml>'
    expect(readPushFields(Buffer.from(xml))?.get('Content')).toBe('&b;&lt;&#65;')
  })
})
