import { describe, expect, it } from 'vitest'
import { askTokenServer, type TokenServer } from '../src/index.ts'
import { rawServer } from './support/raw-server.ts'

const KEY = 'k3y0f0th3s3rv3r'

function answer(body: string, status = '200 OK', more = ''): string {
  return `HTTP/1.1 ${status}\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}
const serverSaying = (text: string) => rawServer({ onRequest: (socket) => socket.write(text) })
const asked = (url: string, given: Partial<TokenServer> = {}) =>
  askTokenServer({ url, method: 'GET', headers: {}, lifetimeS: 300, timeoutMs: 5000, ...given })

describe('a token server', () => {
  it('is asked at its own address, with the headers that it wants', async () => {
    const server = await serverSaying(answer('{"access_token":"T0","expires_in":7200}'))
    const headers = { authorization: `Bearer ${KEY}` }
    const token = await asked(`${server.url}/wx/1?key=${KEY}`, { headers })
    expect(token).toEqual({ kind: 'token', value: 'T0', expiresInS: 7200 })
    expect(server.requests[0]).toMatch(/^GET \/wx\/1\?key=k3y0f0th3s3rv3r HTTP\/1\.1\r\n/u)
    expect(server.requests[0]).toContain(`authorization: Bearer ${KEY}\r\n`)
    await asked(server.url, { method: 'POST' })
    expect(server.requests[1]).toMatch(/^POST \/ HTTP\/1\.1\r\n/u)
  })

  it.each([
    ['{"access_token":"T0"}', { kind: 'token', value: 'T0', expiresInS: 300 }],
    ['T0_text\n', { kind: 'token', value: 'T0_text', expiresInS: 300 }],
    ['', { kind: 'unreachable', detail: 'HTTP 200 without a JSON object' }],
    ['<html>', { kind: 'unreachable', detail: 'HTTP 200 without a JSON object' }],
    ['{"access_token":', { kind: 'unreachable', detail: 'HTTP 200 without a JSON object' }],
    ['two words', { kind: 'unreachable', detail: 'HTTP 200 without a JSON object' }],
    ['[]', { kind: 'unreachable', detail: 'HTTP 200 without a JSON object' }],
    ['{"errcode":0,"errmsg":"ok"}', { kind: 'unreachable', detail: 'HTTP 200 without a valid token' }],
    ['{"code":500,"msg":"no","data":null}', { kind: 'unreachable', detail: 'HTTP 200 without a valid token' }],
    [
      '{"component_access_token":"C","expires_in":7200}',
      { kind: 'unreachable', detail: 'HTTP 200 without a valid token' },
    ],
    ['{"code":500,"data":"error"}', { kind: 'unreachable', detail: 'HTTP 200 without a valid token' }],
    ['{"success":false,"data":"error"}', { kind: 'unreachable', detail: 'HTTP 200 without a valid token' }],
    ['{"data":{"errcode":"40164","errmsg":"no"}}', { kind: 'refused', errcode: 40164, errmsg: 'no' }],
    ['{"errCode":40125,"errMsg":"no","data":{"token":"T0"}}', { kind: 'refused', errcode: 40125, errmsg: 'no' }],
    ['{"errcode":40125,"errmsg":"no"}', { kind: 'refused', errcode: 40125, errmsg: 'no' }],
  ])('may answer %s', async (body, result) => {
    const server = await serverSaying(answer(body))
    expect(await asked(server.url)).toEqual(result)
  })

  it.each([
    ['a lifetime as text', '{"access_token":"T0","expires_in":"3600"}', 3600],
    ['no lifetime', '{"access_token":"T0","expires_in":null}', 300],
    ['a lifetime that is none', '{"access_token":"T0","expires_in":"soon"}', 300],
    ['an empty lifetime', '{"access_token":"T0","expires_in":""}', 300],
    ['a lifetime with a fraction', '{"access_token":"T0","expires_in":99.9}', 99],
    ['a lifetime that is over', '{"access_token":"T0","expires_in":0}', 1],
    ['one as text', '{"access_token":"T0","expires_in":"0"}', 1],
    ['a negative one', '{"access_token":"T0","expires_in":-2}', 1],
    ['thirty days', '{"access_token":"T0","expires_in":2592000}', 7200],
    ['a lifetime without an end', '{"access_token":"T0","expires_in":1e999}', 7200],
    ['camelCase', '{"accessToken":"T0","expiresIn":3600}', 3600],
    ['data around it', '{"code":0,"message":"ok","data":{"access_token":"T0","expires_in":3600}}', 3600],
    ['data in camelCase', '{"success":true,"data":{"accessToken":"T0","expiresIn":"3600"}}', 3600],
    ['result around data', '{"result":{"data":{"token":"T0","expires_in":3600}}}', 3600],
    ['a bare token in data', '{"errcode":0,"data":"T0"}', 300],
    ['a bare token beside a good code', '{"code":"200","data":"T0"}', 300],
    ['the same with a lifetime', '{"data":"T0","expiresIn":3600}', 3600],
    ['a JSON string', '"T0"', 300],
    ['an object written as JSON twice', JSON.stringify('{"access_token":"T0","expires_in":3600}'), 3600],
    ['a mark before it', '\uFEFF{"access_token":"T0","expires_in":3600}', 3600],
    ['a mark before the bare token', '\uFEFFT0\r\n\0', 300],
    ['a mark before a JSON string', '\uFEFF"T0\\n"', 300],
    ['null beside it', '{"access_token":null,"token":"T0","expires_in":3600}', 3600],
    ['the name of a platform', '{"authorizer_access_token":"T0","expires_in":3600}', 3600],
  ])('is understood with %s', async (_, body, expiresInS) => {
    const server = await serverSaying(answer(body))
    expect(await asked(server.url)).toEqual({ kind: 'token', value: 'T0', expiresInS })
  })

  it('has the token and its lifetime where it is told to look, and nowhere else', async () => {
    const body = '{"token":"other","wx":{"app-1":{"tk":"T0","ttl":"60","expires_in":90}},"ttl":70}'
    const server = await serverSaying(answer(body))
    const at = (tokenField: string, lifetimeField?: string) => asked(server.url, { tokenField, lifetimeField })
    const token = { kind: 'token', value: 'T0' }
    expect(await at('wx.app-1.tk', 'wx.app-1.ttl')).toEqual({ ...token, expiresInS: 60 })
    expect(await at('wx.app-1.tk', 'ttl')).toEqual({ ...token, expiresInS: 70 })
    expect(await at('wx.app-1.tk')).toEqual({ ...token, expiresInS: 90 })
    expect(await at('wx.app-1.tk', 'no.such')).toEqual({ ...token, expiresInS: 90 })
    const none = { kind: 'unreachable', detail: 'HTTP 200 without a valid token' }
    for (const field of ['wx.app-2.tk', 'wx.app-1', '__proto__.x', 'constructor']) expect(await at(field)).toEqual(none)
  })

  it('gives no token with another status than 200, and is not followed elsewhere', async () => {
    const elsewhere = await serverSaying(answer('T0'))
    const server = await serverSaying(answer('T0', '302 Found', `location: ${elsewhere.url}\r\n`))
    expect(await asked(server.url)).toEqual({ kind: 'unreachable', detail: 'HTTP 302 without a JSON object' })
    expect(elsewhere.requests).toEqual([])
  })

  it('is given up after its time, and is away without an error of its own', async () => {
    const server = await rawServer({})
    expect(await asked(server.url, { timeoutMs: 200 })).toMatchObject({ kind: 'unreachable' })
    expect(await asked('http://127.0.0.1:1/')).toEqual({ kind: 'unreachable', detail: 'connect ECONNREFUSED' })
  })

  const SECRETS = '/hooks/ab12/wx?k=q7&appid=9&flag&long=k3y0f0th3s3rv3r%2Fx'
  const encodings: Record<string, (text: string) => string> = {
    plain: (text) => text,
    percent: (text) => encodeURIComponent(text),
    'percent twice': (text) => encodeURIComponent(encodeURIComponent(text)),
    JSON: (text) => text.replaceAll('/', '\\/'),
    base64: (text) => Buffer.from(text).toString('base64'),
    hex: (text) => Buffer.from(text).toString('hex'),
  }

  it.each(Object.entries(encodings))(
    'cannot get any part of its URL into what is said about it: %s',
    async (_, encode) => {
      let errmsg = ''
      const server = await rawServer({
        onRequest: (socket) => socket.write(answer(JSON.stringify({ errcode: 40001, errmsg }))),
      })
      const url = server.url + SECRETS
      const { host, port } = new URL(url)
      const headers = { authorization: `Basic ${Buffer.from('bob:p4ss').toString('base64')}`, 'x-key': 'zz' }
      const parts = [url, host, port, SECRETS, '/hooks/ab12/wx', 'ab12', 'wx', 'q7', 'flag', KEY, 'bob', 'p4ss', 'zz']
      for (const part of [...parts, '9']) {
        const text = encode(part)
        if (part === '9' && text !== part && !text.includes('%')) continue
        errmsg = `refused: ${text} is not known`
        const said = await asked(url, { headers })
        expect(said).toMatchObject({ kind: 'refused', errcode: 40001, errmsg: expect.stringContaining('***') })
        expect((said as { errmsg: string }).errmsg.split(/[^\p{L}\p{N}%\\]+/u)).not.toContain(text)
        expect((said as { errmsg: string }).errmsg).not.toContain(`: ${text}`)
      }
    },
  )

  it('cannot hand on a number of the request as its errcode', async () => {
    const server = await serverSaying(answer('{"errcode":493817493817,"errmsg":""}'))
    expect(await asked(`${server.url}/?pin=493817493817`)).toMatchObject({ kind: 'unreachable' })
    expect(await asked(server.url)).toMatchObject({ kind: 'refused' })
  })

  it('cannot repeat a key into what is said about it', async () => {
    const server = await serverSaying(
      answer(JSON.stringify({ errcode: 1, errmsg: `key ${KEY} of ${KEY}x is no good` })),
    )
    const headers = { authorization: `Bearer ${KEY}` }
    const said = await asked(`${server.url}/?key=${KEY}x`, { headers })
    expect(JSON.stringify(said)).not.toContain(KEY)
  })
})
