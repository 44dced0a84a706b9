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

  it('never leaves a named token of any text', () => {
    const around = fc.string({ maxLength: 400 })
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(cleanErrmsg(`${before} access_token=${SECRET} ${after}`)).not.toContain(SECRET)
      }),
    )
  })
})
