import { describe, expect, it } from 'vitest'
import { askTokenServer, createForwarder, createRelay, proxyProblems, reachWechat } from '../src/index.ts'
import { APPID, call, openClient, SECRET, TOKEN } from './support/clients.ts'
import { forwardProxy } from './support/forward-proxy.ts'
import { answer, OK, rawServer } from './support/raw-server.ts'

const serverSaying = (text: string) => rawServer({ onRequest: (socket) => void socket.write(text) })
const SEND = '/cgi-bin/message/custom/send'
const OK_OUTCOME = { kind: 'answered', errcode: 0, errmsg: 'ok' }

describe('with a proxy for plain http', () => {
  it('every call goes through it: sends, tokens, what is passed on and forwarded, and the doctor’s look', async () => {
    const proxy = await forwardProxy()
    const settings = { proxy: { httpProxy: proxy.url } }
    const wechat = await serverSaying(OK)
    const client = openClient(wechat.url, settings)
    expect(await client.send(call)).toEqual(OK_OUTCOME)
    await client.fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })
    const relay = createRelay({ baseUrl: wechat.url, callsMax: 2, timeoutMs: 5000, ...settings })
    const typing = { path: '/cgi-bin/typing', token: call.token, contentType: 'application/json', body: '{}' }
    expect(await relay.pass(typing)).toMatchObject({ kind: 'answered', errcode: 0 })
    await relay.close()
    const forwarder = createForwarder({ connections: 2, answerBytesMax: 100, timeoutMs: 5000, ...settings })
    const pushed = {
      url: `${wechat.url}/push?a=1`,
      query: 'nonce=2',
      contentType: 'text/xml',
      body: Buffer.from('<xml/>'),
    }
    expect(await forwarder.forward({ ...pushed, timeoutMs: 5000 })).toMatchObject({ kind: 'answered', status: 200 })
    await forwarder.close()
    const server = { url: `${wechat.url}/token`, method: 'GET', headers: { a: 'b' }, lifetimeS: 300 } as const
    await askTokenServer({ ...server, timeoutMs: 5000, ...settings })
    expect(await reachWechat({ baseUrl: wechat.url, allowHttp: false, timeoutMs: 5000, ...settings })).toEqual({
      status: 200,
    })
    const asked = [
      `POST ${SEND}`,
      'POST /cgi-bin/stable_token',
      'POST /cgi-bin/typing',
      'POST /push',
      'GET /token',
      'GET /',
    ]
    expect(proxy.asked).toEqual(asked.map((line) => line.replace(' ', ` ${wechat.url}`)))
    // WeChat itself sees what it always sees.
    expect(wechat.requests[0]).toMatch(/^POST \/cgi-bin\/message\/custom\/send\?access_token=/)
    expect(wechat.requests[0]).toContain(`host: 127.0.0.1:${wechat.port}\r\n`)
  })

  it('its limits stay: so many calls at once, each written once, each to its end', async () => {
    const proxy = await forwardProxy()
    const wechat = await serverSaying(OK)
    const client = openClient(wechat.url, { connections: 2, proxy: { httpProxy: proxy.url } })
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => client.send(call)))
    expect(outcomes).toEqual(Array.from({ length: 30 }, () => OK_OUTCOME))
    expect(wechat.requests).toHaveLength(30)
    expect(proxy.most).toBeLessThanOrEqual(2)
    const silent = await rawServer({})
    const hanging = openClient(silent.url, { timeoutMs: 200, connections: 1, proxy: { httpProxy: proxy.url } })
    expect(await hanging.send(call)).toEqual({ kind: 'unsure', detail: 'timeout while waiting for headers' })
  })

  it('NO_PROXY names what is reached without it', async () => {
    const proxy = await forwardProxy()
    const wechat = await serverSaying(OK)
    for (const noProxy of ['127.0.0.1', 'example.com, 127.0.0.1', '*', `127.0.0.1:${wechat.port}`]) {
      const client = openClient(wechat.url, { proxy: { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy } })
      expect(await client.send(call)).toEqual(OK_OUTCOME)
    }
    expect(proxy.asked).toEqual([])
    const other = openClient(wechat.url, { proxy: { httpProxy: proxy.url, noProxy: 'api.weixin.qq.com' } })
    expect(await other.send(call)).toEqual(OK_OUTCOME)
    expect(proxy.asked).toHaveLength(1)
  })

  it('that wants a password, the password goes to it alone', async () => {
    const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
    const proxy = await forwardProxy({ authorization })
    const wechat = await serverSaying(OK)
    const withPassword = proxy.url.replace('//', '//me:p%40ss@')
    expect(await openClient(wechat.url, { proxy: { httpProxy: withPassword } }).send(call)).toEqual(OK_OUTCOME)
    const refused = await openClient(wechat.url, { proxy: { httpProxy: proxy.url } }).send(call)
    // Whatever is made of a 407, it is known to be one, and nothing reached WeChat.
    expect(JSON.stringify(refused)).toContain('407')
    expect(wechat.requests).toHaveLength(1)
  })

  it('that is not there, nothing is sent', async () => {
    const wechat = await serverSaying(OK)
    const client = openClient(wechat.url, { proxy: { httpProxy: 'http://me:s3cret@127.0.0.1:1' } })
    const outcome = await client.send(call)
    expect(outcome).toEqual({ kind: 'not-sent', detail: 'connect ECONNREFUSED' })
    expect(wechat.requests).toEqual([])
  })
})

describe('with a proxy for https', () => {
  const https = 'https://wechat.invalid'

  it.each([
    ['403', 'the proxy gives no connection'],
    ['407', 'the proxy gives no connection'],
    ['502', 'the proxy gives no connection'],
    ['reset', expect.stringMatching(/^(?:the proxy gives no connection|connect ECONNRESET)$/)],
    ['hang', 'timeout while connecting'],
  ] as const)('a tunnel that is answered with %s carries nothing', async (tunnel, detail) => {
    const proxy = await forwardProxy({ tunnel })
    const client = openClient(https, { timeoutMs: 1000, connections: 2, proxy: { httpsProxy: proxy.url } })
    const outcomes = await Promise.all([client.send(call), client.send(call), client.send(call)])
    for (const outcome of outcomes) expect(outcome).toEqual({ kind: 'not-sent', detail: expect.any(String) })
    expect(outcomes[0]).toEqual({ kind: 'not-sent', detail })
    expect(proxy.asked[0]).toBe('CONNECT wechat.invalid:443')
    expect(JSON.stringify(outcomes)).not.toContain(TOKEN)
  })

  it('a tunnel that hangs gives its place back when its time is over', async () => {
    const proxy = await forwardProxy({ tunnel: 'hang' })
    const options = { timeoutMs: 20_000, connectTimeoutMs: 100, connections: 1, proxy: { httpsProxy: proxy.url } }
    const client = openClient(https, options)
    for (let n = 1; n <= 3; n += 1) {
      expect(await client.send(call)).toMatchObject({ kind: 'not-sent' })
      expect(proxy.asked).toHaveLength(n)
    }
  })

  it('TLS is spoken through it, with the server and not with the proxy', async () => {
    const far = await rawServer({ onConnection: (socket) => void socket.write('220 mail.example ESMTP\r\n') })
    const proxy = await forwardProxy({ port: far.port })
    const client = openClient(https, { proxy: { httpsProxy: proxy.url } })
    expect(await client.send(call)).toEqual({ kind: 'not-sent', detail: expect.stringMatching(/^tls [A-Z_]+$/u) })
    expect(far.accepted).toBe(1)
  })

  it('plain http does not use it', async () => {
    const proxy = await forwardProxy()
    const wechat = await serverSaying(answer('{"errcode":0,"errmsg":"ok"}'))
    expect(await openClient(wechat.url, { proxy: { httpsProxy: proxy.url } }).send(call)).toEqual(OK_OUTCOME)
    expect(proxy.asked).toEqual([])
  })
})

it('a proxy’s address is looked at before it is used, and never repeated', () => {
  expect(proxyProblems({})).toEqual([])
  expect(proxyProblems({ httpProxy: 'http://me:p@proxy:3128', httpsProxy: 'https://proxy' })).toEqual([])
  expect(proxyProblems({ httpProxy: 'proxy:s3cret', httpsProxy: 'socks5://s3cret' })).toEqual([
    'HTTP_PROXY must be an http or https URL',
    'HTTPS_PROXY must be an http or https URL',
  ])
})
