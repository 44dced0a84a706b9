// What one key may take: requests and messages in a second, and memory for its bodies. Another key never notices.

import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashApiKey, newApiKey } from '@wechat-outbox/runtime'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { wechatClient, writeKeys } from '../support/entrance.ts'
import { call, MESSAGES, textTo } from '../support/v1.ts'
import { APPID, openGateway, startWorld, type TestGateway, type World } from '../support/world.ts'

const keys = { free: newApiKey(), asks: newApiKey(), sends: newApiKey(), greedy: newApiKey() }
let dir: string
let world: World
let gateway: TestGateway
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gateway-limits-'))
  const path = join(dir, 'keys.json')
  const entry = (id: keyof typeof keys, more: object = {}) => ({ id, hash: hashApiKey(keys[id]), ...more })
  await writeKeys(path, [
    entry('free'),
    entry('asks', { requestsPerSecond: 1 }),
    entry('sends', { messagesPerSecond: 1 }),
    entry('greedy'),
  ])
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, GATEWAY_KEYS_FILE: path })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
  await rm(dir, { recursive: true, force: true })
})

const as = (key: keyof typeof keys) => ({ authorization: `Bearer ${keys[key]}` })
const read = (key: keyof typeof keys) => call(gateway.url, `GET ${MESSAGES}/m-1`, { headers: as(key) })
const send = (key: keyof typeof keys) =>
  call(gateway.url, `POST ${MESSAGES}`, { headers: as(key), body: textTo('o-1') })
const sendBatch = (key: keyof typeof keys, count: number) => {
  const messages = Array.from({ length: count }, () => textTo('o-1'))
  return call(gateway.url, `POST ${MESSAGES}:batch`, { headers: as(key), body: { messages } })
}
const tooMany = (what: string) => ({
  status: 429,
  body: { code: 'too-many-requests', detail: expect.stringContaining(what) },
})

describe('a rate', () => {
  it('of requests holds for every call of the key, and for no other key', async () => {
    expect((await read('asks')).status).toBe(404)
    const refused = await send('asks')
    expect(refused).toMatchObject(tooMany('requests'))
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await read('free')).status).toBe(404)
    await vi.waitFor(async () => expect((await read('asks')).status).toBe(404), { timeout: 10_000, interval: 100 })
  })

  it('of messages counts those of a batch, and lets everything else pass', async () => {
    expect((await sendBatch('sends', 20)).status).toBe(207)
    expect((await read('sends')).status).toBe(404)
    for (const refused of [await send('sends'), await sendBatch('sends', 2)]) {
      expect(refused).toMatchObject(tooMany('messages'))
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(5)
    }
    expect((await send('free')).status).toBe(202)
  })

  it('is WeChat’s own for whoever speaks to the entrance', async () => {
    const wechat = wechatClient(gateway.url)
    // The key has spent its requests on the token, and its messages on the batch before.
    const tokenOfAsks = await vi.waitFor(
      async () => {
        const { access_token: given } = await wechat.token(keys.asks)
        expect(given).toBeDefined()
        return given ?? ''
      },
      { timeout: 10_000 },
    )
    const refused = { status: 200, errcode: 45_011, errmsg: expect.stringContaining('requests') }
    const again = [wechat.token(keys.asks), wechat.send(tokenOfAsks, textTo('o-1'))]
    for (const answer of await Promise.all(again)) expect(answer).toMatchObject(refused)
    const { access_token: token = '' } = await wechat.token(keys.sends)
    expect(await wechat.send(token, textTo('o-1'))).toMatchObject({ status: 200, errcode: 45_011 })
  })
})

describe('bodies', () => {
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  /** Says how long a body will be, and sends its beginning. */
  function stall(key: keyof typeof keys, length: string): Socket {
    const socket = connect(gateway.port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    const head = [`POST ${MESSAGES}:batch HTTP/1.1`, 'host: 127.0.0.1', `authorization: Bearer ${keys[key]}`]
    socket.write(`${[...head, 'content-type: application/json', length].join('\r\n')}\r\n\r\n1\r\n{`)
    return socket
  }

  it.each([
    ['content-length: 16000000', 2],
    ['transfer-encoding: chunked', 2],
    ['content-length: 16000', 2000],
  ])(
    'with %s take memory of their key: %i of them, and no more until one has ended',
    async (length, most) => {
      const stalled = Array.from({ length: most }, () => stall('greedy', length))
      const large = async (key: keyof typeof keys): Promise<number> => {
        const messages = [textTo('o-1', 'x'.repeat(20_000_000))]
        return (await call(gateway.url, `POST ${MESSAGES}:batch`, { headers: as(key), body: { messages } })).status
      }
      await vi.waitFor(async () => expect(await large('greedy')).toBe(429), { timeout: 20_000 })
      expect((await sendBatch('free', 3)).status).toBe(207)
      expect((await read('greedy')).status).toBe(404)
      for (const socket of stalled) socket.destroy()
      // 413: it may begin to be read.
      await vi.waitFor(async () => expect(await large('greedy')).toBe(413), { timeout: 20_000 })
    },
    60_000,
  )
})
