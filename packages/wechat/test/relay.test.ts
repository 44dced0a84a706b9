import { setImmediate as soon } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createRelay, type Relay, type RelayedCall, type RelayOptions } from '../src/index.ts'
import { answer, OK, rawServer } from './support/raw-server.ts'

const VALUE = '61_tOken+Value/with=signs'
const token = { parameter: 'access_token', value: VALUE }
const typing: RelayedCall = {
  path: '/cgi-bin/message/custom/typing',
  token,
  contentType: 'application/json',
  body: '{"touser":"o","command":"Typing"}',
}

function open(baseUrl: string, options: Partial<RelayOptions> = {}): Relay {
  const relay = createRelay({ baseUrl, callsMax: 4, timeoutMs: 5000, ...options })
  onTestFinished(() => relay.close())
  return relay
}
const serverSaying = (text: string) => rawServer({ onRequest: (socket) => void socket.write(text) })

describe('a call', () => {
  it('is handed on with the real token, under the prefix of the base URL', async () => {
    const server = await serverSaying(OK)
    const passed = await open(`${server.url}/proxy`).pass({ ...typing, query: { type: 'a b' } })
    expect(passed).toEqual({ kind: 'answered', errcode: 0, answer: { errcode: 0, errmsg: 'ok' } })
    const [line, ...rest] = server.requests[0]?.split('\r\n') ?? []
    expect(line).toBe(
      'POST /proxy/cgi-bin/message/custom/typing?access_token=61_tOken%2BValue%2Fwith%3Dsigns&type=a%20b HTTP/1.1',
    )
    expect(rest).toContain('content-type: application/json')
    expect(rest.at(-1)).toBe(typing.body)
  })

  it('hands on bytes as they are, with their length', async () => {
    const server = await serverSaying(answer('{"type":"image","media_id":"M","created_at":1}'))
    const passed = await open(server.url).pass({ ...typing, body: Buffer.from('onetwo') })
    expect(passed).toEqual({
      kind: 'answered',
      errcode: 0,
      answer: { type: 'image', media_id: 'M', created_at: 1 },
    })
    expect(server.requests[0]).toMatch(/content-length: 6\r\n[\s\S]*onetwo$/)
    expect(server.requests[0]).not.toMatch(/transfer-encoding/i)
  })

  it('tells a refusal, with no trace of the token in its text', async () => {
    const errmsg = `invalid credential ${VALUE} access_token=${VALUE}`
    const server = await serverSaying(answer(JSON.stringify({ errcode: 40001, errmsg })))
    const passed = await open(server.url).pass(typing)
    expect(passed).toMatchObject({ kind: 'answered', errcode: 40001 })
    expect(JSON.stringify(passed)).not.toContain(VALUE)
  })

  it.each([
    ['a page', answer('<html>', '200 OK'), 'HTTP 200 without a JSON object'],
    ['a gateway that is down', answer('{"errcode":0}', '502 Bad Gateway'), 'HTTP 502 without a JSON object'],
    ['a long page', answer('x'.repeat(70_000), '413 Too Large'), 'HTTP 413 without a JSON object'],
    ['the token', answer(JSON.stringify({ errcode: 0, hint: VALUE })), 'the answer repeats the token'],
    ['too much', answer(JSON.stringify({ errcode: 0, pad: ' '.repeat(70_000) })), 'answer larger than 65536 bytes'],
  ])('answered with %s is broken', async (_, text, detail) => {
    const server = await serverSaying(text)
    expect(await open(server.url).pass(typing)).toEqual({ kind: 'broken', detail })
  })
})

describe('the bounds', () => {
  it('end a call that takes too long, or whose caller has gone', async () => {
    const server = await rawServer({})
    expect(await open(server.url, { timeoutMs: 50 }).pass(typing)).toEqual({ kind: 'broken', detail: 'timeout' })
    const gone = new AbortController()
    const passed = open(server.url).pass({ ...typing, signal: gone.signal })
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(1), 20_000)
    gone.abort()
    expect(await passed).toEqual({ kind: 'broken', detail: 'aborted' })
  })

  it('refuse calls beyond so many at once, and take others when these have ended', async () => {
    const server = await rawServer({})
    const relay = open(server.url, { callsMax: 2 })
    const gone = new AbortController()
    const waiting = [1, 2].map(() => relay.pass({ ...typing, signal: gone.signal }))
    await soon()
    expect(await relay.pass(typing)).toEqual({ kind: 'broken', detail: '2 calls are under way already' })
    gone.abort()
    await Promise.all(waiting)
    const next = relay.pass(typing)
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0), 20_000)
    for (const socket of server.sockets) socket.end(OK)
    expect(await next).toMatchObject({ kind: 'answered' })
  })

  it('say where WeChat is not', async () => {
    const server = await rawServer({})
    const relay = open(server.url)
    await relay.close()
    expect(await relay.pass(typing)).toMatchObject({ kind: 'broken', detail: expect.stringContaining('client closed') })
    expect(() => open('http://wechat.example')).toThrow('https')
  })
})
