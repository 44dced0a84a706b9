// SDKs of others, unmodified, against the gateway instead of WeChat: what they send arrives at WeChat as they meant it.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccessTokens, createTokenStore, lazyStore } from '@wechat-outbox/outbox/engine'
import { freeLoopbackPort } from '@wechat-outbox/sandbox'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { coWechatApi, messagingApiWechat } from './support/sdks.ts'
import { APP, type System, startSystem } from './support/system.ts'

const KEY = 'an-api-key-for-the-sdk-tests'
const KEYS = { GATEWAY_API_KEYS: KEY }
const OK = { errcode: 0, errmsg: 'ok' }
const LONG_TEXT = '您好 👋 <a href="https://x.example" data-miniprogram-path="p?a=1&b=2">去看看</a> "\\" \u2028'
const CARD = { title: '订单 7', pagepath: 'pages/order?id=7', thumb_media_id: 'thumb-media-id' }
const LINK = {
  title: 't',
  description: '说明',
  url: 'https://x.example/?a=1&b=2',
  thumb_url: 'https://x.example/t.png',
}

let system: System
const start = async (workers: number): Promise<System> => (system = await startSystem({ workers }))
afterEach(() => system?.close())

/** The bodies that WeChat took, oldest first, once there are so many. */
const arrived = (count: number): Promise<unknown[]> =>
  vi.waitFor(
    async () => {
      const bodies = (await system.fake.sends()).filter(({ accepted }) => accepted).map(({ body }) => body)
      expect(bodies).toHaveLength(count)
      return bodies
    },
    { timeout: 20_000, interval: 50 },
  )

async function withStore<T>(work: (store: Awaited<ReturnType<ReturnType<typeof lazyStore>['open']>>) => Promise<T>) {
  const lazy = lazyStore(system.redis.url)
  try {
    return await work(await lazy.open())
  } finally {
    await lazy.close()
  }
}

describe('an SDK whose base URL is the gateway', () => {
  it('co-wechat-api sends text, image and page', async () => {
    await start(1)
    const api = coWechatApi(await system.gateway(KEYS), KEY)
    expect(await api.sendText('o-co', LONG_TEXT)).toEqual(OK)
    expect(await api.sendImage('o-co', 'media-1')).toEqual(OK)
    expect(await api.sendMiniProgram('o-co', CARD)).toEqual(OK)
    expect(await arrived(3)).toEqual([
      { touser: 'o-co', msgtype: 'text', text: { content: LONG_TEXT } },
      { touser: 'o-co', msgtype: 'image', image: { media_id: 'media-1' } },
      { touser: 'o-co', msgtype: 'miniprogrampage', miniprogrampage: CARD },
    ])
    expect((await system.fake.sends()).map(({ rawBody }) => rawBody).join()).toContain('您好 👋')
  }, 60_000)

  it('messaging-api-wechat sends text, image, page and link', async () => {
    await start(1)
    const client = messagingApiWechat(await system.gateway(KEYS), KEY)
    expect(await client.sendText('o-msg', LONG_TEXT)).toEqual(OK)
    expect(await client.sendImage('o-msg', 'media-1')).toEqual(OK)
    expect(await client.sendMiniProgramPage('o-msg', CARD)).toEqual(OK)
    expect(await client.sendRawBody({ touser: 'o-msg', msgtype: 'link', link: LINK })).toEqual(OK)
    expect(await arrived(4)).toEqual([
      { touser: 'o-msg', msgtype: 'text', text: { content: LONG_TEXT } },
      { touser: 'o-msg', msgtype: 'image', image: { media_id: 'media-1' } },
      { touser: 'o-msg', msgtype: 'miniprogrampage', miniprogrampage: CARD },
      { touser: 'o-msg', msgtype: 'link', link: LINK },
    ])
  }, 60_000)

  it('is told with WeChat’s codes what is wrong', async () => {
    await start(1)
    const gateway = await system.gateway(KEYS)
    const api = coWechatApi(gateway, KEY)
    await expect(api.sendText('not an openid', 'x')).rejects.toMatchObject({ code: 40003 })
    await expect(api.sendText('o-co', '')).rejects.toMatchObject({ code: 44004 })
    await expect(coWechatApi(gateway, 'the-wrong-key').sendText('o-co', 'x')).rejects.toMatchObject({ code: 40125 })
    const client = messagingApiWechat(gateway, KEY)
    await expect(client.sendRawBody({ touser: 'o', msgtype: 'voice' })).rejects.toThrow('40008')
    await expect(messagingApiWechat(gateway, 'the-wrong-key').sendText('o', 'x')).rejects.toThrow()
  }, 60_000)
})

describe('what was accepted', () => {
  it('survives the gateway, the worker and Redis, and so does the SDK’s token', async () => {
    await start(1)
    const port = String(await freeLoopbackPort())
    const gateway = await system.gateway({ ...KEYS, GATEWAY_PORT: port })
    const [api, client] = [coWechatApi(gateway, KEY), messagingApiWechat(gateway, KEY)]
    await api.sendText('o-warm', 'warm')
    await arrived(1)
    // Nobody sends any more, so whatever is accepted from here on lies in Redis alone.
    await system.workers[0]?.kill9()
    const contents = Array.from({ length: 20 }, (_, n) => `kept<${n}>`)
    for (const [n, content] of contents.entries()) {
      expect(await (n % 2 === 0 ? api : client).sendText('o-kept', content)).toEqual(OK)
    }
    const tokens = [api.store?.accessToken, client.accessToken]
    await system.workers[1]?.kill9()
    await system.restartRedis()
    await system.gateway({ ...KEYS, GATEWAY_PORT: port })
    await system.worker()
    const bodies = (await arrived(21)) as { text: { content: string } }[]
    expect(bodies.slice(1).map(({ text }) => text.content)).toEqual(contents)
    expect(await api.sendText('o-after', 'after')).toEqual(OK)
    expect(await client.sendText('o-after', 'after')).toEqual(OK)
    expect([api.store?.accessToken, client.accessToken]).toEqual(tokens)
    await arrived(23)
  }, 120_000)
})

describe('a token that is no longer good', () => {
  it('is replaced by an SDK that listens to 40001, and named to one that does not', async () => {
    await start(1)
    const gateway = await system.gateway(KEYS)
    const [api, client] = [coWechatApi(gateway, KEY), messagingApiWechat(gateway, KEY)]
    await api.sendText('o-co', 'before')
    await client.sendText('o-msg', 'before')
    const before = api.store?.accessToken
    const revoked = await withStore(async (store) => {
      const [keyId = ''] = (await store.redis.keys('*:access:of:*')).map((key) => key.split(':').at(-1))
      return createAccessTokens(store, APP).revoke(keyId)
    })
    expect(revoked).toBe(2)
    expect(await api.sendText('o-co', 'after')).toEqual(OK)
    expect(api.store?.accessToken).not.toBe(before)
    await expect(client.sendText('o-msg', 'after')).rejects.toThrow('40001')
    expect(await arrived(3)).toHaveLength(3)
  }, 60_000)
})

describe('what an SDK does besides', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'wxo-sdks-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  it('uploads and typing reach WeChat, and the image is then sent', async () => {
    await start(1)
    const gateway = await system.gateway(KEYS)
    const [api, client] = [coWechatApi(gateway, KEY), messagingApiWechat(gateway, KEY)]
    // The token that the gateway passes on with is the workers'.
    await api.sendText('o-first', 'first')
    await arrived(1)
    await vi.waitFor(
      () => withStore(async (store) => expect(await createTokenStore(store, APP).read()).not.toBeNull()),
      20_000,
    )
    const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, n) => (n * 7) % 251))
    await writeFile(join(dir, 'cat.png'), bytes)
    const byCo = await api.uploadMedia(bytes, 'image', 'cat.png', 'image/png')
    const byMessaging = await client.uploadMedia('image', createReadStream(join(dir, 'cat.png')))
    expect(await api.sendImage('o-co', byCo.media_id)).toEqual(OK)
    expect(await client.sendImage('o-msg', byMessaging.media_id)).toEqual(OK)
    const typing = `/message/custom/typing?access_token=${client.accessToken}`
    expect((await client.axios.post(typing, { touser: 'o-msg', command: 'Typing' })).data).toEqual(OK)
    await arrived(3)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const upload = { appid: APP, errcode: 0, body: { type: 'image', filename: 'cat.png', bytes: 400_000, sha256 } }
    const { otherCalls, tokensIssued } = await system.fake.ledger()
    expect(otherCalls).toMatchObject([upload, upload, { appid: APP, errcode: 0, body: { command: 'Typing' } }])
    for (const secret of [...tokensIssued, KEY, api.store?.accessToken ?? '', client.accessToken]) {
      expect(system.output()).not.toContain(secret)
    }
  }, 60_000)
})

describe('Redis away', () => {
  it('is WeChat’s "busy" to an SDK that waits two seconds', async () => {
    await start(0)
    const worker = await system.worker()
    const api = coWechatApi(await system.gateway(KEYS), KEY)
    await api.sendText('o-co', 'before')
    await worker.stop()
    api.setOpts({ timeout: 2000 })
    await system.redis.kill9()
    await expect(api.sendText('o-co', 'during')).rejects.toMatchObject({ code: -1 })
    await system.restartRedis()
    await vi.waitFor(async () => expect(await api.sendText('o-co', 'after')).toEqual(OK), {
      timeout: 15_000,
      interval: 200,
    })
  }, 60_000)
})
