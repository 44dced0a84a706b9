import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createWechatClient } from '../src/index.ts'
import { APPID, call, openClient, SECRET, TOKEN } from './support/clients.ts'
import { answer, OK, rawServer } from './support/raw-server.ts'

const OK_OUTCOME = { kind: 'answered', errcode: 0, errmsg: 'ok' }
const TOKEN_ANSWER = answer('{"access_token":"T0","expires_in":7200}')

/** A server that gives every request the same answer. */
const serverSaying = (text: string) => rawServer({ onRequest: (socket) => void socket.write(text) })

describe('a send', () => {
  it('is exactly one POST with raw UTF-8 and nothing besides', async () => {
    const server = await serverSaying(OK)
    await expect(openClient(server.url).send(call)).resolves.toEqual(OK_OUTCOME)
    const body = '{"touser":"oOpenid","msgtype":"text","text":{"content":"您好 👋"}}'
    expect(server.requests).toEqual([
      [
        'POST /cgi-bin/message/custom/send?access_token=61_tOken%2BValue%2Fwith%3Dsigns-0123456789 HTTP/1.1',
        `host: 127.0.0.1:${server.port}`,
        'connection: keep-alive',
        'content-type: application/json; charset=utf-8',
        `content-length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    ])
  })

  it('uses the parameter that the token names, and keeps the prefix of the base URL', async () => {
    const server = await serverSaying(OK)
    const token = { parameter: 'cloudbase_access_token', value: 'a b\ud800' }
    await openClient(`${server.url}/proxy/wx/`).send({ ...call, token })
    const line = 'POST /proxy/wx/cgi-bin/message/custom/send?cloudbase_access_token=a%20b%EF%BF%BD HTTP/1.1'
    expect(server.requests[0]?.split('\r\n')[0]).toBe(line)
  })

  it('carries no token where there is none', async () => {
    const server = await serverSaying(OK)
    const token = { parameter: '', value: '' }
    await expect(openClient(server.url).send({ ...call, token })).resolves.toEqual(OK_OUTCOME)
    expect(server.requests[0]?.split('\r\n')[0]).toBe('POST /cgi-bin/message/custom/send HTTP/1.1')
  })

  it('tells what WeChat answered, with the request id taken out of the text', async () => {
    const errmsg = 'response out of time limit or subscription is canceled rid: 63f71e3c-36c24fb1-35f0b12d'
    const server = await serverSaying(answer(JSON.stringify({ errcode: 45015, errmsg })))
    const outcome = { kind: 'answered', errcode: 45015, errmsg, rid: '63f71e3c-36c24fb1-35f0b12d' }
    await expect(openClient(server.url).send(call)).resolves.toEqual(outcome)
  })

  it.each(['400 Bad Request', '401 Unauthorized', '412 No'])(
    'believes an errcode that comes with %s',
    async (status) => {
      const server = await serverSaying(answer('{"errcode":40003,"errmsg":"invalid openid"}', status))
      await expect(openClient(server.url).send(call)).resolves.toMatchObject({ kind: 'answered', errcode: 40003 })
    },
  )

  it('does without a text, or with one that is none', async () => {
    for (const body of ['{"errcode":-1}', '{"errcode":-1,"errmsg":{"a":1}}']) {
      const server = await serverSaying(answer(body))
      await expect(openClient(server.url).send(call)).resolves.toEqual({ kind: 'answered', errcode: -1, errmsg: '' })
    }
  })

  it('reads an answer that comes in pieces, after early hints, and ends with the connection', async () => {
    const server = await rawServer({
      onRequest(socket) {
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"err')
        setImmediate(() => socket.end('code":0,"errmsg":"ok"}'))
      },
    })
    await expect(openClient(server.url).send(call)).resolves.toEqual(OK_OUTCOME)
  })

  it('masks an echo of the token, plain, encoded or named, before it cuts the text', async () => {
    const errmsg = `${TOKEN} ${encodeURIComponent(TOKEN)} access_token=other ${'x'.repeat(233)}${TOKEN}`
    const server = await serverSaying(answer(JSON.stringify({ errcode: 40001, errmsg })))
    const masked = `*** *** access_token=*** ${'x'.repeat(233)}***`
    await expect(openClient(server.url).send(call)).resolves.toMatchObject({ errmsg: masked })
  })

  it.each([
    ['at /send?access_token=abc123', 'at /send***'],
    ['authorization: Bearer abc123\r\nvia a proxy', 'authorization: Bearer *** via a proxy'],
    ['x'.repeat(1000), 'x'.repeat(300)],
  ])('tells it clean, so that history, reasons and logs can repeat it as it is: %s', async (errmsg, clean) => {
    const server = await serverSaying(answer(JSON.stringify({ errcode: 40003, errmsg })))
    await expect(openClient(server.url).send(call)).resolves.toMatchObject({ errmsg: clean })
  })

  it('rejects a body that is not JSON, for that is a bug', async () => {
    const send = openClient('http://127.0.0.1:1').send({ ...call, body: { big: 1n } })
    await expect(send).rejects.toBeInstanceOf(TypeError)
  })
})

describe('a send whose time is over before it begins', () => {
  it.each([0, -1])('is not written, though a connection is free (%d ms)', async (timeoutMs) => {
    const server = await serverSaying(OK)
    const client = openClient(server.url)
    // On a connection that stands, a request is written in the same moment: no timer would come before it.
    await client.send(call)
    const outcome = await client.send({ ...call, timeoutMs })
    expect(outcome).toEqual({ kind: 'not-sent', detail: 'timeout while waiting for a connection' })
    await client.send(call)
    expect(server.requests).toHaveLength(2)
  })
})

describe('the connections of a client', () => {
  it('are never more than allowed, and are used again', async () => {
    const server = await serverSaying(OK)
    const client = openClient(server.url, { connections: 2 })
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => client.send(call)))
    expect(outcomes).toEqual(Array.from({ length: 30 }, () => OK_OUTCOME))
    expect(server.requests).toHaveLength(30)
    expect(server.accepted).toBeLessThanOrEqual(2)
  })

  it('are replaced when the server closed one between two requests', async () => {
    const server = await serverSaying(OK)
    const client = openClient(server.url)
    await client.send(call)
    const [socket] = server.sockets
    socket?.end()
    if (socket !== undefined) await once(socket, 'close')
    await expect(client.send(call)).resolves.toEqual(OK_OUTCOME)
    expect(server.accepted).toBe(2)
  })

  it('do not send a second time by themselves when a kept one breaks under a request', async () => {
    const server = await rawServer({
      onRequest: (socket) => (server.requests.length === 1 ? socket.write(OK) : socket.resetAndDestroy()),
    })
    const client = openClient(server.url)
    await client.send(call)
    await expect(client.send(call)).resolves.toMatchObject({ kind: 'unsure' })
    expect(server.requests).toHaveLength(2)
  })
})

describe('fetchToken', () => {
  it('asks for a stable token by POST', async () => {
    const server = await serverSaying(TOKEN_ANSWER)
    const client = openClient(server.url)
    const token = { kind: 'token', value: 'T0', expiresInS: 7200 }
    await expect(client.fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })).resolves.toEqual(token)
    await client.fetchToken({ kind: 'stable', appid: APPID, secret: SECRET, forceRefresh: true })
    expect(server.requests[0]).toMatch(/^POST \/cgi-bin\/stable_token HTTP\/1\.1\r\n/u)
    expect(server.requests[0]).toContain('\r\ncontent-type: application/json; charset=utf-8\r\n')
    const grant = { grant_type: 'client_credential', appid: APPID, secret: SECRET }
    const bodies = server.requests.map((request): unknown => JSON.parse(request.split('\r\n\r\n')[1] ?? ''))
    expect(bodies).toEqual([
      { ...grant, force_refresh: false },
      { ...grant, force_refresh: true },
    ])
  })

  it('asks for a classic token by GET', async () => {
    const server = await serverSaying(TOKEN_ANSWER)
    await openClient(`${server.url}/x`).fetchToken({ kind: 'classic', appid: APPID, secret: SECRET })
    const query = `grant_type=client_credential&appid=${APPID}&secret=${SECRET}`
    expect(server.requests).toEqual([
      `GET /x/cgi-bin/token?${query} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: keep-alive\r\n\r\n`,
    ])
  })

  it('tells a refusal without appid and secret', async () => {
    const errmsg = `invalid appsecret ${SECRET} of ${APPID}`
    const server = await serverSaying(answer(JSON.stringify({ errcode: 40125, errmsg })))
    const fetched = await openClient(server.url).fetchToken({ kind: 'classic', appid: APPID, secret: SECRET })
    expect(fetched).toEqual({ kind: 'refused', errcode: 40125, errmsg: 'invalid appsecret *** of ***' })
  })

  it.each([
    ['<html>', 'HTTP 200 without a JSON object'],
    ['{"expires_in":7200}', 'HTTP 200 without a valid token'],
    ['{"access_token":"","expires_in":7200}', 'HTTP 200 without a valid token'],
    ['{"access_token":"a b","expires_in":7200}', 'HTTP 200 without a valid token'],
    [`{"access_token":"${'a'.repeat(2049)}","expires_in":7200}`, 'HTTP 200 without a valid token'],
    ['{"access_token":"a"}', 'HTTP 200 without a valid lifetime of the token'],
    ['{"access_token":"a","expires_in":"soon"}', 'HTTP 200 without a valid lifetime of the token'],
    ['{"access_token":"a","expires_in":null}', 'HTTP 200 without a valid lifetime of the token'],
    ['"a"', 'HTTP 200 without a JSON object'],
    ['{"data":"a"}', 'HTTP 200 without a valid token'],
  ])('takes no token out of %s', async (body, detail) => {
    const server = await serverSaying(answer(body))
    const fetched = await openClient(server.url).fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })
    expect(fetched).toEqual({ kind: 'unreachable', detail })
  })

  it.each([
    ['"7200"', 7200],
    ['0', 1],
    ['-1', 1],
    ['2592000', 7200],
    ['86401', 7200],
  ])('takes a lifetime of %s', async (expiresIn, expiresInS) => {
    const server = await serverSaying(answer(`{"access_token":"a","expires_in":${expiresIn}}`))
    const fetched = await openClient(server.url).fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })
    expect(fetched).toEqual({ kind: 'token', value: 'a', expiresInS })
  })

  it('takes no token from an answer that is not 200', async () => {
    const server = await serverSaying(answer('{"access_token":"a","expires_in":7200}', '503 Away'))
    const fetched = await openClient(server.url).fetchToken({ kind: 'stable', appid: APPID, secret: SECRET })
    expect(fetched).toEqual({ kind: 'unreachable', detail: 'HTTP 503 without a valid token' })
  })
})

describe('close', () => {
  it('ends an open call as unsure and lets no new one begin', async () => {
    const arrived = Promise.withResolvers<void>()
    const server = await rawServer({ onRequest: () => arrived.resolve() })
    const client = openClient(server.url, { connections: 1 })
    const [open, waiting] = [client.send(call), client.send(call)]
    await arrived.promise
    await Promise.all([client.close(), client.close()])
    await expect(open).resolves.toEqual({ kind: 'unsure', detail: 'client closed while waiting for headers' })
    const notSent = { kind: 'not-sent', detail: 'client closed while waiting for a connection' }
    await expect(waiting).resolves.toEqual(notSent)
    await expect(client.send(call)).resolves.toEqual(notSent)
    expect(server.requests).toHaveLength(1)
  })

  it('waits for an open call while its grace lasts', async () => {
    const arrived = Promise.withResolvers<() => void>()
    const server = await rawServer({ onRequest: (socket) => arrived.resolve(() => socket.write(OK)) })
    const client = openClient(server.url)
    const open = client.send(call)
    const respond = await arrived.promise
    const closed = client.close(60_000)
    respond()
    await expect(open).resolves.toEqual(OK_OUTCOME)
    await closed
  })
})

describe('createWechatClient', () => {
  it.each([{ connections: 0 }, { timeoutMs: 1.5 }, { connectTimeoutMs: Number.NaN }, { answerBytesMax: -1 }])(
    'refuses options that make no sense: %o',
    (options) => {
      const all = { baseUrl: 'https://api.weixin.qq.com', connections: 1, timeoutMs: 1000, ...options }
      expect(() => createWechatClient(all)).toThrow(/must be a whole number/u)
    },
  )
})
