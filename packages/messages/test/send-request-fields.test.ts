/** What WeChat gets of a request: its contents and what stands beside them. */
import { describe, expect, it } from 'vitest'
import { fingerprint, MSGTYPES } from '../src/index.ts'
import { good, look, paths, problems, text, with_ } from './support/requests.ts'

describe('the fields of a content', () => {
  const fields = [
    ['image', 'media_id'],
    ['link', 'title'],
    ['link', 'url'],
    ['link', 'thumb_url'],
    ['miniprogrampage', 'title'],
    ['miniprogrampage', 'pagepath'],
    ['miniprogrampage', 'thumb_media_id'],
    ['text', 'content'],
  ] as const
  const replaced = (msgtype: keyof typeof good, field: string, value: unknown) => {
    const request: Record<string, unknown> = good[msgtype]
    return { ...request, [msgtype]: { ...(request[msgtype] as object), [field]: value } }
  }

  it.each(fields)('%s.%s is a text that is not blank', (msgtype, field) => {
    for (const value of ['', ' \n', undefined, null, 7, {}, ['a']]) {
      expect(new Set(paths(replaced(msgtype, field, value)))).toEqual(new Set([`${msgtype}.${field}`]))
    }
  })

  it.each(fields.filter(([msgtype]) => msgtype !== 'text'))('%s.%s has a limit', (msgtype, field) => {
    const start = field.endsWith('url') ? 'https://a.test/' : ''
    const longest = start.padEnd(2048, 'x')
    expect(look(replaced(msgtype, field, longest)).ok).toBe(true)
    expect(problems(replaced(msgtype, field, `${longest}x`))).toEqual([
      { path: `${msgtype}.${field}`, message: 'must be at most 2048 characters' },
    ])
  })

  const everywhere = [...fields, ['link', 'description']] as const
  it.each(everywhere)('%s.%s has no character that JSON has to escape', (msgtype, field) => {
    const start = field.endsWith('url') ? 'https://a.test/' : 'a'
    const controls = Array.from({ length: 0x20 }, (_, code) => code).filter((code) => ![0, 9, 10, 13].includes(code))
    expect(controls).toHaveLength(28)
    for (const code of controls) {
      const message = `contains the control character U+${code.toString(16).toUpperCase().padStart(4, '0')}`
      const value = `${start}${String.fromCodePoint(code)}b`
      expect(problems(replaced(msgtype, field, value))).toContainEqual({ path: `${msgtype}.${field}`, message })
      expect(JSON.stringify(value)).toContain('\\')
    }
    expect(look(replaced(msgtype, field, `${start}\u007F\u0085\u2028👋`)).ok).toBe(true)
    if (!field.endsWith('url')) expect(look(replaced(msgtype, field, `${start}\tb\r\nc`)).ok).toBe(true)
  })

  it.each([
    ['image', 'media_id', 'url'],
    ['miniprogrampage', 'thumb_media_id', 'thumb_url'],
  ] as const)('%s has exactly one of %s and %s', (msgtype, id, url) => {
    const request: Record<string, unknown> = good[msgtype]
    const content = (fields: object) => ({ ...request, [msgtype]: { ...(request[msgtype] as object), ...fields } })
    const picture = 'https://a.test/a.png?x=1'
    expect(look(content({ [id]: undefined, [url]: picture })).ok).toBe(true)
    expect(look(content({ [id]: null, [url]: picture })).ok).toBe(true)
    expect(look(content({ [url]: null })).ok).toBe(true)
    const message = `must be given, or ${url} in its place, and not both`
    for (const both of [{ [url]: picture }, { [id]: undefined }, { [id]: null, [url]: null }])
      expect(problems(content(both))).toEqual([{ path: `${msgtype}.${id}`, message }])
    for (const wrong of [
      'ftp://a.test/a',
      'a.png',
      '',
      'https://u:p@a.test/',
      'https://u@a.test/',
      'https://a.test/#f',
    ])
      expect(new Set(paths(content({ [id]: undefined, [url]: wrong })))).toEqual(new Set([`${msgtype}.${url}`]))
    expect(look(content({ [id]: undefined, [url]: picture.padEnd(2048, 'x') })).ok).toBe(true)
    expect(paths(content({ [id]: undefined, [url]: picture.padEnd(2049, 'x') }))).toEqual([`${msgtype}.${url}`])
  })

  it('a description may be empty but not missing', () => {
    expect(look(replaced('link', 'description', '')).ok).toBe(true)
    expect(paths(replaced('link', 'description', undefined))).toEqual(['link.description'])
  })

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://a.test/x',
    'file:///etc/passwd',
    '//a.test/x',
    'a.test',
    '/x',
    'http://',
  ])('a link does not take %s', (url) => {
    expect(problems(replaced('link', 'url', url))).toEqual([
      { path: 'link.url', message: 'must be an http or https URL' },
    ])
    expect(paths(replaced('link', 'thumb_url', url))).toEqual(['link.thumb_url'])
  })

  it('a link takes http and https in any case', () => {
    for (const url of ['http://a.test', 'HTTPS://A.TEST/x', 'https://用户.测试/路?q=1#f']) {
      expect(look(replaced('link', 'url', url)).ok).toBe(true)
    }
  })
})

describe('what WeChat takes beside a content', () => {
  const beside = { aimsgcontext: { is_ai_msg: 1 }, businessid: 'B-1', customservice: { kf_account: 'test1@kftest' } }

  it.each(MSGTYPES)('stands beside every content: %s', (msgtype) => {
    expect(look({ ...good[msgtype], ...beside })).toEqual({ ok: true, value: { ...good[msgtype], ...beside } })
  })

  it('is refused at its path when it is another thing', () => {
    const wrong = { aimsgcontext: { is_ai_msg: 2 }, businessid: 7, customservice: { kf_account: '', nick: 'x' } }
    expect(paths(with_(wrong)).toSorted()).toEqual([
      'aimsgcontext.is_ai_msg',
      'businessid',
      'customservice.kf_account',
      'customservice.nick',
    ])
    expect(paths(with_({ aimsgcontext: 1, customservice: 'a@b' }))).toEqual(['aimsgcontext', 'customservice'])
    const control = { customservice: { kf_account: 'a\u0007' }, businessid: '\u001B' }
    expect(paths(with_(control)).toSorted()).toEqual(['businessid', 'customservice.kf_account'])
  })
})

describe('null', () => {
  it('counts as absent wherever a key is optional', () => {
    const names = ['idempotencyKey', 'sendAt', 'expiresAt', 'ifUnsure', 'metadata', 'traceparent']
    const more = ['aimsgcontext', 'businessid', 'customservice', 'image', 'link', 'miniprogrampage']
    const nulls = Object.fromEntries([...names, ...more].map((name) => [name, null]))
    const checked = look(with_(nulls))
    expect(checked).toEqual({ ok: true, value: text })
    expect(JSON.parse(JSON.stringify(checked))).toEqual({ ok: true, value: text })
    const empty = { aimsgcontext: { is_ai_msg: null, msgid: null }, customservice: { kf_account: null } }
    expect(JSON.parse(JSON.stringify(look(with_(empty))))).toEqual({ ok: true, value: text })
    const same = (request: unknown): string | null => {
      const read = look(request)
      return read.ok ? fingerprint(read.value) : null
    }
    expect(same(with_(nulls))).toBe(same(text))
  })

  it('is a value in metadata, and none where something is needed', () => {
    expect(look(with_({ metadata: { a: null } }))).toMatchObject({ value: { metadata: { a: null } } })
    expect(paths({ ...text, text: null })).toEqual(['text'])
    expect(paths(with_({ touser: null }))).toEqual(['touser'])
    expect(paths(with_({ unknown: null }))).toEqual(['unknown'])
  })
})
