import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { APPID, call, openClient, SECRET, TOKEN } from './support/clients.ts'
import { ANSWER_BYTES_MAX, FAULTY_ANSWERS, limitFor, PATIENCE_MS } from './support/faulty-answers.ts'
import { answer, rawServer } from './support/raw-server.ts'

/** Whatever may identify the call: none of it belongs into a log line, a dead letter or a dashboard. */
const HIDDEN = [
  TOKEN,
  encodeURIComponent(TOKEN),
  TOKEN.slice(0, 12),
  SECRET,
  APPID,
  '/cgi-bin',
  '127.0.0.1',
  'http:',
  '您好',
]

const echo = (errcode: number) => (socket: Socket, request: string) =>
  void socket.write(answer(JSON.stringify({ errcode, errmsg: `no: ${lineOf(request)}` })))

/** The query of the request and the values of its body: the parts of it that hold secrets. */
function lineOf(request: string): string {
  const [, query = ''] = /\?(\S*)/u.exec(request) ?? []
  return `${query} ${decodeURIComponent(query)} ${/"secret":"[^"]*"/u.exec(request)?.[0] ?? ''}`
}

/** The request line, and the host and values that it was sent with, in every writing that servers use. */
const echoOfUrl = (errcode: number) => (socket: Socket, request: string) => {
  const [, path = ''] = /^\S+ (\S+)/u.exec(request) ?? []
  const [, host = ''] = /\r\nhost: (\S+)/iu.exec(request) ?? []
  const whole = `http://${host}${path}`
  const said = [whole, path, host, encodeURIComponent(whole), whole.replaceAll('/', '\\/'), host.toUpperCase()]
  const packed = [whole, host, path].map((text) => Buffer.from(text).toString('base64'))
  socket.write(answer(JSON.stringify({ errcode, errmsg: [...said, ...packed].join(' ') })))
}

const responders = [
  ...FAULTY_ANSWERS.map(({ name, respond, outcome }) => ({ name, respond, timeoutMs: limitFor(outcome) })),
  { name: 'an echo', respond: echo(1), timeoutMs: PATIENCE_MS },
  { name: 'an echo of the URL', respond: echoOfUrl(1), timeoutMs: PATIENCE_MS },
]

describe('nothing that comes back from a call', () => {
  it.each(responders)('holds a token, a secret or a URL: $name', async ({ respond, timeoutMs }) => {
    const server = await rawServer({ onRequest: respond })
    const client = openClient(server.url, { timeoutMs, answerBytesMax: ANSWER_BYTES_MAX })
    const results = await Promise.all([
      client.send(call),
      client.fetchToken({ kind: 'classic', appid: APPID, secret: SECRET }),
      client.fetchToken({ kind: 'stable', appid: APPID, secret: SECRET }),
    ])
    expect(server.requests).toHaveLength(3)
    const text = JSON.stringify(results)
    expect(HIDDEN.filter((hidden) => text.includes(hidden))).toEqual([])
  })

  it.each(['http://127.0.0.1:1', 'https://wechat.invalid'])(
    'holds them where nothing was reached: %s',
    async (baseUrl) => {
      const client = openClient(baseUrl, { timeoutMs: 20_000 })
      const results = [
        await client.send(call),
        await client.fetchToken({ kind: 'classic', appid: APPID, secret: SECRET }),
      ]
      const text = JSON.stringify(results)
      expect([...HIDDEN, 'wechat.invalid'].filter((hidden) => text.includes(hidden))).toEqual([])
    },
  )
})
