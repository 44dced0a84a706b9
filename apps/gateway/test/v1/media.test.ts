// POST …/media: a picture from whoever has its bytes, uploaded once, with the token that the workers keep.
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import {
  AUDIT_KEY,
  CRM_KEY,
  type EntranceWorld,
  SHOP_KEY,
  startEntranceWorld,
  UNSERVED_APPID,
} from '../support/entrance.ts'

const HEADS = {
  'image/png': '\x89PNG\r\n\x1A\n',
  'image/jpeg': '\xFF\xD8\xFF\xE0',
  'image/gif': 'GIF89a',
} as const

let here: EntranceWorld
beforeAll(async () => {
  here = await startEntranceWorld()
})
afterAll(() => here?.close())
beforeEach(async () => {
  here.fake.control.reset()
  await storeToken(await realToken())
})

async function realToken(): Promise<string> {
  const credentials = { grant_type: 'client_credential', appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }
  const answer = await fetch(`${here.fake.url}/cgi-bin/token?${new URLSearchParams(credentials).toString()}`)
  return ((await answer.json()) as { access_token: string }).access_token
}

/** As a worker leaves it. */
async function storeToken(value: string): Promise<void> {
  const expiresAt = Date.now() + 7_200_000
  const token = { value, parameter: 'access_token', version: 1, lifetime: 7_200_000, expiresAt }
  await here.world.store.redis.del(`{wxo:${SANDBOX_APP_ID}}:token`)
  await here.world.store.redis.hset(`{wxo:${SANDBOX_APP_ID}}:token`, token)
}

/** No two are alike. */
const picture = (type: keyof typeof HEADS = 'image/png', bytes = 1000): Buffer =>
  Buffer.concat([Buffer.from(HEADS[type], 'latin1'), randomBytes(bytes - HEADS[type].length)])

interface Posted {
  readonly status: number
  readonly headers: Headers
  readonly body: { media_id: string; expiresAt: string; code?: string; detail?: string; errors?: object[] }
}

interface Posting {
  readonly type?: string | undefined
  readonly key?: string
  readonly appid?: string
  readonly url?: string
}

async function post(body: Buffer, options: Posting = {}): Promise<Posted> {
  const { type = 'image/png', key = CRM_KEY, appid = SANDBOX_APP_ID, url = here.gateway.url } = options
  const answer = await fetch(`${url}/v1/apps/${appid}/media`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': type },
    body: new Uint8Array(body),
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Posted['body'] }
}

const uploads = () => here.fake.ledger.otherCalls().filter(({ path }) => path === '/cgi-bin/media/upload')

it('gives the bytes to WeChat under a name of their kind, and answers with the media id and its end', async () => {
  for (const [type, name] of [
    ['image/png', 'png'],
    ['image/jpeg', 'jpg'],
    ['image/gif', 'gif'],
  ] as const) {
    // What the bytes are counts, and not what they are called.
    const { status, body } = await post(picture(type), {
      type: type === 'image/gif' ? 'application/octet-stream' : 'image/png',
    })
    expect(status).toBe(200)
    expect(body).toEqual({ media_id: expect.stringMatching(/^\S{60,}$/), expiresAt: expect.stringMatching(/Z$/) })
    const hours = (Date.parse(body.expiresAt) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(69)
    expect(hours).toBeLessThan(71)
    expect(uploads().at(-1)).toMatchObject({ appid: SANDBOX_APP_ID, body: { filename: `image.${name}`, bytes: 1000 } })
  }
})

it('uploads the same bytes once: later, at the same time, and on another gateway', async () => {
  const other = await here.open()
  const bytes = picture()
  const at = (n: number) => ({ url: n % 2 === 0 ? here.gateway.url : other.url })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => post(bytes, at(n))))
  answers.push(await post(bytes))
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.media_id}`)).size).toBe(1)
  expect(answers[0]?.status).toBe(200)
  expect(uploads()).toHaveLength(1)
  await post(picture())
  expect(uploads()).toHaveLength(2)
})

it('stores nothing of the bytes and logs nothing of them', async () => {
  const marker = 'a-picture-that-nobody-keeps'
  const bytes = Buffer.concat([picture(), Buffer.from(marker)])
  expect(await post(bytes)).toMatchObject({ status: 200 })
  const { redis } = here.world.store
  const client = await here.world.connect()
  const dumps = await Promise.all(
    (await client.keys('*')).map(async (key) => Buffer.from((await client.dumpBuffer(key)) ?? '').toString('latin1')),
  )
  expect(dumps.join('')).not.toContain(marker)
  expect(await redis.keys(`{wxo:${SANDBOX_APP_ID}}:media:*`)).not.toEqual([])
  expect(here.gateway.text()).not.toContain(marker)
})

it('refuses what is no picture, nothing, another type, too much, and whoever may not send', async () => {
  const cases: [Promise<Posted>, number, string][] = [
    [post(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')), 415, 'content-type'],
    [post(Buffer.from('RIFF0000WEBP')), 415, 'content-type'],
    [post(Buffer.alloc(0)), 400, 'WXO_INVALID'],
    [post(picture(), { type: 'application/json' }), 415, 'content-type'],
    [post(picture(), { type: 'text/plain' }), 415, 'content-type'],
    [post(picture(), { type: 'multipart/form-data; boundary=x' }), 415, 'content-type'],
    [post(picture('image/png', 2_097_153)), 413, 'too-large'],
    [post(picture(), { key: AUDIT_KEY }), 403, 'forbidden'],
    [post(picture(), { key: SHOP_KEY }), 403, 'forbidden'],
    [post(picture(), { key: 'not-a-key-of-anybody-at-all' }), 401, 'key-unknown'],
    [post(picture(), { appid: UNSERVED_APPID }), 404, 'unknown-app'],
    [post(picture(), { appid: 'wx1' }), 400, 'WXO_INVALID'],
  ]
  for (const [posted, status, code] of cases) {
    const { status: got, body } = await posted
    expect({ status: got, code: body.code }).toEqual({ status, code })
  }
  expect(uploads()).toEqual([])
  expect(await post(picture('image/png', 2_097_152))).toMatchObject({ status: 200 })
})

it('refuses a picture that is too large while it arrives', async () => {
  const socket = connect(here.gateway.port, '127.0.0.1')
  const head = [
    `POST /v1/apps/${SANDBOX_APP_ID}/media HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${CRM_KEY}`,
    'Content-Type: image/png',
    'Transfer-Encoding: chunked',
  ]
  socket.on('error', () => undefined)
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  const heard = new Promise<string>((resolve) => {
    let all = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      all += chunk
      if (all.includes('too-large')) resolve(all)
    })
    socket.once('close', () => resolve(all))
  })
  const chunk = picture('image/png', 65_536)
  // It never ends by itself.
  const feed = setInterval(() => socket.write(`10000\r\n${chunk.toString('latin1')}\r\n`, 'latin1'), 1)
  expect(await heard).toMatch(/^HTTP\/1.1 413 /)
  clearInterval(feed)
  socket.destroy()
})

it('replaces a token that WeChat refuses, once', async () => {
  const good = await realToken()
  await storeToken('a-token-that-has-ended')
  // As a worker does that is asked for another one.
  const worker = await here.world.connect()
  await worker.subscribe(`{wxo:${SANDBOX_APP_ID}}:token:news`)
  worker.on('message', (_channel, news) => {
    if (news === 'wanted') void storeToken(good)
  })
  expect(await post(picture())).toMatchObject({ status: 200 })
  expect(uploads().map(({ errcode }) => errcode)).toEqual([40001, 0])
  here.fake.control.addFault({ endpoint: 'media', fault: { name: 'errcode', errcode: 40001 } })
  expect(await post(picture())).toMatchObject({ status: 503, body: { code: 'wechat-away' } })
  await worker.unsubscribe()
})

it('says when to come back while there is no token, and while WeChat is busy or broken', async () => {
  await here.world.store.redis.del(`{wxo:${SANDBOX_APP_ID}}:token`)
  const expectAway = async (): Promise<void> => {
    const { status, headers, body } = await post(picture())
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'wechat-away' })
    expect(headers.get('retry-after')).toBe('5')
    expect(JSON.stringify(body)).not.toContain('http')
  }
  await expectAway()
  await storeToken(await realToken())
  const faults = [
    { name: 'errcode', errcode: -1 },
    { name: 'errcode', errcode: 45_009 },
    { name: 'html502' },
    { name: 'http503' },
    { name: 'reset-before' },
  ] as const
  for (const fault of faults) {
    const id = here.fake.control.addFault({ endpoint: 'media', fault })
    await expectAway()
    here.fake.control.clearFaults(id)
  }
})

it('passes on what WeChat has against a picture, as final', async () => {
  here.fake.control.addFault({ endpoint: 'media', fault: { name: 'errcode', errcode: 40_009 } })
  const { status, body } = await post(picture())
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'media-refused' })
  expect(body.detail).toMatch(/^WeChat answered 40009/)
})
