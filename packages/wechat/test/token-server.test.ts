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
    ['{"access_token":"T0","expires_in":0}', { kind: 'unreachable', detail: expect.stringContaining('lifetime') }],
    ['{"errcode":40125,"errmsg":"no"}', { kind: 'refused', errcode: 40125, errmsg: 'no' }],
  ])('may answer %s', async (body, result) => {
    const server = await serverSaying(answer(body))
    expect(await asked(server.url)).toEqual(result)
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

  it('cannot repeat a key into what is said about it', async () => {
    const server = await serverSaying(
      answer(JSON.stringify({ errcode: 1, errmsg: `key ${KEY} of ${KEY}x is no good` })),
    )
    const headers = { authorization: `Bearer ${KEY}` }
    const said = await asked(`${server.url}/?key=${KEY}x`, { headers })
    expect(JSON.stringify(said)).not.toContain(KEY)
  })
})
