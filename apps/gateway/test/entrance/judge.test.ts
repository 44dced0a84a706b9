import { OutboxError } from '@wechat-outbox/outbox'
import { describe, expect, it } from 'vitest'
import { judgeMessage, refusalOf, tidyMessage } from '../../src/entrance/judge.ts'

const LIMIT = { bytesMax: 2048, isSplit: false }
const APPID = 'wx1234567890abcdef'
const text = (content: unknown, more: object = {}) => ({ touser: 'oAnna', msgtype: 'text', text: { content }, ...more })
const card = (more: object) => ({ title: 't', pagepath: 'p', thumb_media_id: 'm', ...more })

describe('a message', () => {
  it.each([
    ['nobody to go to', { msgtype: 'text', text: { content: 'hi' } }, 40003],
    ['no openid', text('hi', { touser: 'o Anna' }), 40003],
    ['a number for an openid', text('hi', { touser: 5 }), 40003],
    ['no msgtype', { touser: 'oAnna' }, 40008],
    ['a msgtype of WeChat’s that is not ours', { touser: 'oAnna', msgtype: 'voice' }, 40008],
    ['a msgtype that every object has', { touser: 'oAnna', msgtype: 'constructor' }, 40008],
    ['no content', { touser: 'oAnna', msgtype: 'text' }, 44004],
    ['an empty content', text(''), 44004],
    ['null for a content', text(null), 44004],
    ['a blank content', text(' \n'), 44004],
    ['a content of 2049 bytes', text(`${'您'.repeat(682)}abc`), 45002],
    ['an appid', text('hi', { appid: APPID }), 47001],
  ])('with %s is refused as WeChat does', (_, body, errcode) => {
    expect(judgeMessage(body, LIMIT)).toMatchObject({ errcode })
  })

  it('with a content of 2048 bytes passes, and so does what the outbox has to look at', () => {
    expect(judgeMessage(text('您'.repeat(682) + 'ab'), LIMIT)).toBeNull()
    expect(judgeMessage(text(5), LIMIT)).toBeNull()
    expect(judgeMessage({ touser: 'oAnna', msgtype: 'image', image: {} }, LIMIT)).toBeNull()
  })
})

describe('tidying', () => {
  it('drops the contents that a message does not have and its client writes as null', () => {
    const body = { ...text('hi'), image: null, link: null, customservice: null }
    const more = { voice: null, appid: null, sendAt: null, metadata: { kept: null } }
    expect(tidyMessage({ ...body, ...more }, APPID)).toEqual({ ...text('hi'), metadata: { kept: null } })
    expect(tidyMessage({ ...text('hi'), text: null }, APPID)).toHaveProperty('text', null)
  })

  it('drops the appid of a card where it is empty or the app’s own, and nowhere else', () => {
    const page = (more: object) => ({ touser: 'oAnna', msgtype: 'miniprogrampage', miniprogrampage: card(more) })
    expect(tidyMessage(page({ appid: '' }), APPID)).toEqual(page({}))
    expect(tidyMessage(page({ appid: APPID }), APPID)).toEqual(page({}))
    expect(tidyMessage(page({ appid: null }), APPID)).toEqual(page({}))
    expect(tidyMessage(page({ appid: 'wxffffffffffffffff' }), APPID)).toEqual(page({ appid: 'wxffffffffffffffff' }))
    expect(tidyMessage({ ...text('hi'), miniprogrampage: 'x' }, APPID)).toEqual({ ...text('hi'), miniprogrampage: 'x' })
  })
})

describe('an error of the outbox', () => {
  it('becomes a refusal that names the places', () => {
    const issues = ['link.url', 'link.title', '', 'metadata'].map((path) => ({ path, message: 'is wrong' }))
    expect(refusalOf(new OutboxError('WXO_INVALID', 'no', { issues }))).toEqual({
      errcode: 47001,
      detail: 'link.url is wrong; link.title is wrong; the body is wrong',
    })
    expect(refusalOf(new OutboxError('WXO_CONFLICT', 'no'))).toEqual({
      errcode: 47001,
      detail: expect.stringContaining('take a new key for a new message'),
    })
    expect(refusalOf(new OutboxError('WXO_UNAVAILABLE', 'no'))).toMatchObject({ errcode: -1 })
    expect(refusalOf(new OutboxError('WXO_FULL', 'no'))).toMatchObject({ errcode: -1 })
  })

  it('that says nothing about the message is none', () => {
    expect(refusalOf(new OutboxError('WXO_CONFIG', 'no'))).toBeNull()
    expect(refusalOf(new Error('bug'))).toBeNull()
  })
})
