import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanErrmsg, ERRMSG_CHARS_MAX } from '../src/index.ts'

const SECRET = 'Zk3-tOps3cret_9'

describe('cleanErrmsg', () => {
  it.each([
    `POST /cgi-bin/message/custom/send?access_token=${SECRET}&x=1 failed`,
    `cloudbase_access_token=${SECRET}`,
    `GET /cgi-bin/token?appid=wx1&secret=${SECRET}`,
    `{"access_token":"${SECRET}","expires_in":7200}`,
    `{\\"secret\\": \\"${SECRET}\\"}`,
    `ACCESS_TOKEN = ${SECRET}`,
    `redirect=%2Fsend%3Faccess_token%3D${SECRET}`,
    `AppSecret: ${SECRET}, please check`,
    `authorization: Bearer ${SECRET}`,
  ])('masks what looks like a token or a secret: %s', (errmsg) => {
    expect(cleanErrmsg(errmsg)).not.toContain(SECRET)
    expect(cleanErrmsg(errmsg)).toContain('***')
  })

  it('leaves the words of WeChat as they are', () => {
    const errmsg = 'invalid credential, access_token is invalid or not latest, rid: 5f3ded7d-04448f4b-0a6e7fd1'
    expect(cleanErrmsg(errmsg)).toBe(errmsg)
  })

  it('makes one line of several', () => {
    expect(cleanErrmsg('out of\r\ntime\u0000limit\n')).toBe('out of time limit')
  })

  it('cuts a long text without leaving half a character', () => {
    const cut = cleanErrmsg(`a${'😀'.repeat(400)}`)
    expect(cut).toHaveLength(ERRMSG_CHARS_MAX)
    expect(cut.isWellFormed()).toBe(true)
  })

  it('masks known secrets wherever they stand, plain or encoded, before it cuts the text', () => {
    const secret = 'a+b/c=d'.repeat(40)
    const errmsg = `${`${secret} ${encodeURIComponent(secret)} `.repeat(12)}${'x'.repeat(100)}${secret}`
    expect(cleanErrmsg(errmsg, ['', secret])).toBe(`${'*** '.repeat(24)}${'x'.repeat(100)}***`)
  })

  it('masks what looks like an address, whosever it is, and nothing that WeChat says', () => {
    for (const errmsg of [
      'see https://tokens.corp.test/a/b?c=d for more',
      'https:\\/\\/tokens.corp.test\\/a failed',
      'GET /secret-path/of/ours failed',
      'asked with ?k=ab&x=1',
      'HTTPS%3A%2F%2Ftokens.corp.test',
    ]) {
      expect(cleanErrmsg(errmsg), errmsg).toContain('***')
      expect(cleanErrmsg(errmsg)).not.toMatch(/corp|ours|ab&|%2F/)
    }
    for (const errmsg of [
      'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 5f3ded7d-04448f4b-0a6e7fd1',
      'api unauthorized hints: [req_id: a1B2cd_e]',
      'reply time limit and/or count, 2026/11/26 12:00:00',
      'what? = nothing',
    ]) {
      expect(cleanErrmsg(errmsg)).toBe(errmsg)
    }
  })

  const PARTS = ['tokens.corp.test', '/hidden-path/ab12', 'ab', '7', 'k€y', 'S3cret/Value+1=']
  const escapes: Record<string, (text: string) => string> = {
    plain: (text) => text,
    capitals: (text) => text.toUpperCase(),
    percent: (text) => encodeURIComponent(text),
    'percent throughout': (text) => Buffer.from(text).toString('hex').replaceAll(/../g, '%$&'),
    JSON: (text) => JSON.stringify(text.replaceAll('/', '\\/')).slice(1, -1),
    'JSON throughout': (text) =>
      Array.from(text)
        .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
    HTML: (text) =>
      Array.from(text)
        .map((c) => `&#${c.codePointAt(0)};`)
        .join(''),
    'without a width': (text) => Array.from(text).join('\u200b'),
  }
  const packings: Record<string, (text: string) => string> = {
    base64: (text) => Buffer.from(text).toString('base64'),
    base64url: (text) => Buffer.from(text).toString('base64url'),
    hex: (text) => Buffer.from(text).toString('hex'),
  }

  it.each(Object.entries({ ...escapes, ...packings }))('leaves nothing that it is told to hide: %s', (name, encode) => {
    for (const part of PARTS) {
      // One letter in base64 or hex is no more than a letter.
      if (part.length === 1 && name in packings) continue
      for (const errmsg of [encode(part), `no: ${encode(part)}.`, `(${encode(part)}) ${'x '.repeat(500)}`]) {
        const cleaned = cleanErrmsg(errmsg, PARTS)
        expect(cleaned.includes(encode(part)), `${part} in ${cleaned}`).toBe(false)
        expect(cleaned).toContain('***')
      }
      for (const [layer, second] of Object.entries(escapes)) {
        // Nobody reads base64 in capitals.
        if (layer === 'capitals') continue
        const twice = second(encode(part))
        if (part.length > 3) expect(cleanErrmsg(`no: ${twice}.`, PARTS)).not.toContain(twice)
      }
    }
  })

  it('hides a secret whose end lies behind what is read', () => {
    const secret = 'Zk3-tOps3cret_9'.repeat(60)
    for (const encode of Object.values({ ...escapes, ...packings })) {
      const cleaned = cleanErrmsg(`no: ${encode(secret)}`, [secret])
      expect(cleaned.replace('no: ', '')).toBe('***')
    }
  })

  it('masks a short word only where it is one', () => {
    expect(cleanErrmsg('the cabin has ab 7 of 77', ['ab', '7'])).toBe('the cabin has *** *** of 77')
  })

  it('masks the same secret in every text, wherever it stood in the last one', () => {
    for (let n = 0; n < 1000; n += 1) {
      const secret = `secret-${n % 7}-${n % 150}`
      expect(cleanErrmsg(`${'x'.repeat(n % 50)} ${secret}`, [secret]).trim()).toBe(`${'x'.repeat(n % 50)} ***`.trim())
    }
  })

  it('takes no longer than it should for a hostile text', () => {
    const started = performance.now()
    for (const text of ['%41', '\\u0041', '/a', 'a'.repeat(64), '&#65;', '\\', '?a=', 'ab:/']) {
      cleanErrmsg(text.repeat(65_536 / text.length), PARTS)
    }
    // A machine that does ten other things gets a hundredfold of what it took.
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('never leaves a named token of any text', () => {
    const around = fc.string({ maxLength: 400 })
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(cleanErrmsg(`${before} access_token=${SECRET} ${after}`)).not.toContain(SECRET)
      }),
    )
  })
})
