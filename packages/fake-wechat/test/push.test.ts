import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { freeLoopbackPort } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeWechat, startFakeWechat } from '../src/index.ts'
import { post, send, stableToken, text } from './client.ts'

const TOKEN = 'pushToken1234567890abcdef'

type Received = { method: string | undefined; url: URL; type: string | undefined; body: string }

/** A service whose URL stands in WeChat's console. */
const startService = async () => {
  const received: Received[] = []
  const service = {
    received,
    url: '',
    answer: (_nth: number, response: ServerResponse): void => void response.end('success'),
    close: (): void => {
      server.closeAllConnections()
      server.close()
    },
  }
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const url = new URL(request.url ?? '', service.url)
      received.push({ method: request.method, url, type: request.headers['content-type'], body })
      service.answer(received.length, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/push?of=ours`
  return service
}

let fake: FakeWechat
let service: Awaited<ReturnType<typeof startService>>
beforeEach(async () => {
  fake = await startFakeWechat({ windows: 'strict', now: () => 1_795_935_101_906 })
  service = await startService()
})
afterEach(async () => {
  await fake.close()
  service.close()
})

const act = async (openid: string, action: string) => (await post(fake, `/_control/users/${openid}`, { action })).json()

describe('without a push', () => {
  it('tells nobody what users do', async () => {
    expect(await act('oAnna', 'message')).toEqual({ ok: true })
    expect(await fake.control.push('oAnna', 'message')).toEqual({ pushed: false, problem: 'setPush was not called' })
  })
})

describe('with a push', () => {
  beforeEach(() => fake.control.setPush({ url: service.url, token: TOKEN }))

  it('says what a user did as WeChat does, signed with the token', async () => {
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: true })
    const [{ method, url, type, body } = {} as Received] = service.received
    expect({ method, type }).toEqual({ method: 'POST', type: 'application/json' })
    const { timestamp = '', nonce = '', signature, ...others } = Object.fromEntries(url.searchParams)
    expect({ timestamp, ...others }).toEqual({ timestamp: '1795935101', openid: 'oAnna', of: 'ours' })
    const parts = [TOKEN, timestamp, nonce].toSorted()
    expect(signature).toBe(createHash('sha1').update(parts.join('')).digest('hex'))
    expect(JSON.parse(body)).toMatchObject({ FromUserName: 'oAnna', CreateTime: 1_795_935_101, MsgType: 'text' })
    // A number beyond what a number holds, as WeChat writes it.
    expect(body).toMatch(/"MsgId":\d{19}[,}]/)
  })

  it('gives every message an id of its own', async () => {
    for (let i = 0; i < 3; i += 1) await act('oAnna', 'message')
    expect(new Set(service.received.map(({ body }) => /"MsgId":(\d+)/.exec(body)?.[1])).size).toBe(3)
  })

  it('says who enters the session', async () => {
    await act('oAnna', 'enter')
    const said = JSON.parse(service.received[0]?.body ?? '') as unknown
    expect(said).toMatchObject({ FromUserName: 'oAnna', MsgType: 'event', Event: 'user_enter_tempsession' })
  })

  it('opens the window before it says so', async () => {
    const { access_token: token = '' } = await stableToken(fake)
    service.answer = (_nth, response) =>
      void send(fake, token, text('oAnna')).then(({ errcode }) => response.writeHead(errcode === 0 ? 200 : 500).end())
    expect(await fake.control.push('oAnna', 'message')).toEqual({ pushed: true })
    expect(service.received).toHaveLength(1)
  })

  it('says nothing of states that are no doing of a user', async () => {
    for (const action of ['close', 'exhaust', 'unknown', 'known', 'open'])
      expect(await act('oAnna', action)).toEqual({ ok: true })
    expect(service.received).toEqual([])
  })

  it('says it three times until it is answered 200, as the same', async () => {
    service.answer = (nth, response) => void response.writeHead(nth < 3 ? 502 : 200).end()
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: true })
    expect(new Set(service.received.map(({ body }) => body)).size).toBe(1)
    service.answer = (_nth, response) => void response.writeHead(403).end()
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: false, problem: 'answered with HTTP 403' })
    expect(service.received).toHaveLength(6)
  })

  it('says why nobody could be told', async () => {
    fake.control.setPush({ url: `http://127.0.0.1:${await freeLoopbackPort()}/`, token: TOKEN })
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: false, problem: 'fetch failed: ECONNREFUSED' })
  })

  it('lets go of a push that is not answered when it closes', async () => {
    const asked = new Promise<void>((resolve) => (service.answer = () => resolve()))
    const pushed = fake.control.push('oAnna', 'message')
    await asked
    await fake.close()
    expect(await pushed).toMatchObject({ pushed: false })
    expect(service.received).toHaveLength(1)
  })

  it('is kept over a reset, and ended by name', async () => {
    await post(fake, '/_control/reset', {})
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: true })
    await post(fake, '/_control/push', {})
    expect(await act('oAnna', 'message')).toEqual({ ok: true })
  })

  it('may be set over HTTP', async () => {
    fake.control.setPush(null)
    await post(fake, '/_control/push', { url: service.url, token: TOKEN })
    expect(await act('oAnna', 'message')).toEqual({ ok: true, pushed: true })
  })

  it.each([
    [{ url: 'ftp://nowhere', token: TOKEN }, /^url must be/],
    [{ url: 'nonsense', token: TOKEN }, /^url must be/],
    [{ url: 'http://127.0.0.1:1', token: '' }, /^token must be/],
    [{ token: TOKEN }, /^url must be/],
    [{ url: 'http://127.0.0.1:1', token: TOKEN, aesKey: 'x' }, /^aesKey is not one of url, token/],
  ])('refuses %j', async (body, reason) => {
    const answer = await post(fake, '/_control/push', body)
    expect(answer.status).toBe(400)
    expect(((await answer.json()) as { error: string }).error).toMatch(reason)
  })
})
