import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/fake-wechat'
import { hashApiKey } from '@wechat-outbox/runtime'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWechatTokens } from '../../src/entrance/wechat-token.ts'
import {
  CRM_KEY,
  type EntranceWorld,
  KEYS,
  OK,
  OTHER_APPID,
  startEntranceWorld,
  wechatClient,
  writeKeys,
} from '../support/entrance.ts'

/** Sends some of a request and hears what comes of it. The other side ends it, or the test does. */
function stall(port: number, bytes: Buffer): { readonly heard: Promise<string> } {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(bytes)
  return {
    heard: new Promise((resolve) => {
      let all = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        all += chunk
        if (all.includes('"errmsg"')) socket.destroy()
      })
      socket.once('close', () => resolve(all))
    }),
  }
}

let here: EntranceWorld
beforeAll(async () => {
  here = await startEntranceWorld()
})
beforeEach(() => here.restoreKeys())
afterAll(() => here?.close())

describe('what is passed on', () => {
  let token: string
  let real: string
  /** As a worker leaves it. */
  async function storeRealToken(value: string, appid = SANDBOX_APP_ID): Promise<void> {
    const [lifetime, expiresAt] = [7_200_000, Date.now() + 7_200_000]
    const token = { value, parameter: 'access_token', version: 1, lifetime, expiresAt }
    await here.world.store.redis.hset(`{wxo:${appid}}:token`, token)
  }
  beforeEach(async () => {
    here.fake.control.reset()
    await here.world.store.redis.del(`{wxo:${SANDBOX_APP_ID}}:token`)
    token = await here.tokenOf(CRM_KEY, SANDBOX_APP_ID)
    const credentials = { grant_type: 'client_credential', appid: SANDBOX_APP_ID, secret: SANDBOX_APP_SECRET }
    const answer = await fetch(`${here.fake.url}/cgi-bin/token?${new URLSearchParams(credentials).toString()}`)
    real = ((await answer.json()) as { access_token: string }).access_token
    await storeRealToken(real)
  })
  const formOf = (bytes: number): FormData => {
    const form = new FormData()
    form.set('media', new File([new Uint8Array(bytes).fill(7)], 'cat.png', { type: 'image/png' }))
    return form
  }
  const upload = (bytes: number, as = token) =>
    here.wechat.call(`/media/upload?access_token=${as}&type=image`, { method: 'POST', body: formOf(bytes) })
  const typing = (as = token, path = 'typing') =>
    here.wechat.post(`/message/custom/${path}?access_token=${as}`, { touser: 'oAnna', command: 'Typing' })

  it('reaches WeChat with the app’s own token: typing on both paths, uploads byte for byte', async () => {
    expect(await typing()).toMatchObject(OK)
    expect(await typing(token, 'business/typing')).toMatchObject(OK)
    expect(await upload(1_500_000)).toMatchObject({
      status: 200,
      type: 'image',
      media_id: expect.stringMatching(/^\S{60,}$/),
    })
    expect(here.fake.ledger.otherCalls()).toMatchObject([
      { appid: SANDBOX_APP_ID, path: '/cgi-bin/message/custom/typing', body: { touser: 'oAnna', command: 'Typing' } },
      { appid: SANDBOX_APP_ID, path: '/cgi-bin/message/custom/business/typing' },
      { appid: SANDBOX_APP_ID, path: '/cgi-bin/media/upload', body: { filename: 'cat.png', bytes: 1_500_000 } },
    ])
  })

  it('has its length at the beginning, although it came without', async () => {
    const form = new Response(formOf(1_500_000))
    const headers = { 'content-type': form.headers.get('content-type') ?? '' }
    const chunked = { method: 'POST', body: form.body, headers, duplex: 'half' } as const
    const path = `/media/upload?access_token=${token}&type=image`
    expect(await here.wechat.call(path, chunked)).toMatchObject({ status: 200, media_id: expect.any(String) })
    const fetched = { method: 'POST', body: new Response(formOf(10)).body, headers, duplex: 'half' } as const
    // The same without the gateway, as SDKs that stream have met it.
    const direct = await fetch(`${here.fake.url}/cgi-bin/media/upload?access_token=${real}&type=image`, fetched)
    expect(direct.status).toBe(412)
  })

  it('has a name that WeChat understands, whatever its client gave', async () => {
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(100, 7)])
    const form = new FormData()
    form.set('media', new File([png], '图片', { type: 'application/octet-stream' }))
    const path = `/media/upload?access_token=${token}&type=image`
    expect(await here.wechat.call(path, { method: 'POST', body: form })).toMatchObject({ status: 200, type: 'image' })
    expect(here.fake.ledger.otherCalls()).toMatchObject([{ body: { filename: 'image.png', bytes: png.length } }])
  })

  it('comes back with WeChat’s own refusals', async () => {
    expect(await upload(2_500_000)).toMatchObject({ status: 200, errcode: 40009 })
    expect(await here.wechat.post(`/message/custom/typing?access_token=${token}`, { touser: 'oAnna' })).toMatchObject({
      status: 200,
      errcode: 45072,
    })
  })

  it('is refused here for a wrong token, a body that is none, and what is too large', async () => {
    expect(await typing('forged')).toMatchObject({ status: 200, errcode: 40001 })
    expect(await upload(100, 'forged')).toMatchObject({ status: 200, errcode: 40001 })
    expect(await here.wechat.post(`/media/upload?access_token=${token}`, 'bytes')).toMatchObject({ errcode: 47001 })
    expect(await here.wechat.post(`/message/custom/typing?access_token=${token}`, '')).toMatchObject({ errcode: 44002 })
    expect(await upload(11_000_000)).toMatchObject({ status: 413, errcode: 40009 })
    const form = new Response(formOf(11_000_000))
    const headers = { 'content-type': form.headers.get('content-type') ?? '' }
    // As a stream its length is unknown, and found out on the way.
    const chunked = { method: 'POST', body: form.body, headers, duplex: 'half' } as const
    const path = `/media/upload?access_token=${token}&type=image`
    expect(await here.wechat.call(path, chunked)).toMatchObject({ status: 413, errcode: 40009 })
    expect(here.fake.ledger.otherCalls()).toEqual([])
  })

  it('is -1 without a token of WeChat’s, and while WeChat refuses it; nothing of the token gets out', async () => {
    const quiet = await here.open()
    const client = wechatClient(quiet.url)
    const call = () =>
      client.post(`/message/custom/typing?access_token=${token}`, { touser: 'oAnna', command: 'Typing' })
    expect(await call()).toMatchObject(OK)
    here.fake.control.invalidateTokens()
    const refused = await call()
    expect(refused).toMatchObject({ status: 200, errcode: -1 })
    await here.world.store.redis.del(`{wxo:${SANDBOX_APP_ID}}:token`)
    const missing = await call()
    expect(missing).toMatchObject({ status: 200, errcode: -1 })
    expect(JSON.stringify([refused, missing])).not.toContain(real)
    expect(quiet.text()).not.toContain(real)
    expect(quiet.lines()).toContainEqual(
      expect.objectContaining({ event: 'entrance.not-passed-on', reason: 'WeChat refuses the token (40001)' }),
    )
  })

  it('is tried with the same token once more when its source has just said that it is the current one', async () => {
    const at = { appid: SANDBOX_APP_ID, store: here.world.store }
    expect(await createWechatTokens().get(at, real)).toBeUndefined()
    await here.world.store.redis.hset(`{wxo:${SANDBOX_APP_ID}}:token`, { repeatedAt: Date.now() - 1000, repeats: '1' })
    expect(await createWechatTokens().get(at, real)).toMatchObject({ value: real })
    await here.world.store.redis.hset(`{wxo:${SANDBOX_APP_ID}}:token`, { repeats: '2' })
    expect(await createWechatTokens().get(at, real)).toBeUndefined()
  })

  it('is -1 with a token of WeChat’s that has ended', async () => {
    await here.world.store.redis.hset(`{wxo:${SANDBOX_APP_ID}}:token`, { expiresAt: Date.now() - 1 })
    expect(await typing()).toMatchObject({ status: 200, errcode: -1 })
    expect(here.fake.ledger.otherCalls()).toEqual([])
  })

  it('is -1 when WeChat is not there', async () => {
    const nowhere = wechatClient((await here.open({ WECHAT_API_BASE_URL: 'http://127.0.0.1:9' })).url)
    const answer = await nowhere.post(`/message/custom/typing?access_token=${token}`, {
      touser: 'o',
      command: 'Typing',
    })
    expect(answer).toMatchObject({ status: 200, errcode: -1 })
  })

  describe('and takes long', () => {
    const other = 'key-of-another-service-33'
    let theirs: string
    beforeEach(async () => {
      await writeKeys(here.keysPath, [...KEYS, { id: 'other', hash: hashApiKey(other) }])
      await storeRealToken(real, OTHER_APPID)
      theirs = await here.tokenOf(other, OTHER_APPID)
    })

    it('leaves places to others when uploads stall, and ends these', async () => {
      const { port } = here.gateway
      const head = `POST /cgi-bin/media/upload?access_token=${token}&type=image HTTP/1.1\r\nhost: 127.0.0.1\r\n`
      const type = 'content-type: multipart/form-data; boundary=x\r\ncontent-length: 5000\r\n\r\n--x\r\n'
      const stalled = Array.from({ length: 32 }, () => stall(port, Buffer.from(head + type)))
      // Some are refused for want of a place: then those before have theirs.
      await vi.waitFor(() => expect(here.gateway.text()).toContain('as many calls under way'), 20_000)
      const typed = await Promise.all(Array.from({ length: 15 }, () => typing(theirs)))
      expect(typed).toEqual(Array.from({ length: 15 }, () => expect.objectContaining(OK)))
      expect(await upload(1000, theirs)).toMatchObject({ status: 200, type: 'image' })
      expect(await typing()).toMatchObject(OK)
      expect(await upload(1000)).toMatchObject({ status: 200, errcode: -1 })
      const texts = await Promise.all(stalled.map(({ heard }) => heard))
      expect(
        texts.filter((text) => text.startsWith('HTTP/1.1 408 ') && text.includes('did not arrive in time')).length,
      ).toBe(8)
      expect(texts.filter((text) => text.startsWith('HTTP/1.1 200 ') && text.includes('"errcode":-1')).length).toBe(24)
      expect(await upload(1000)).toMatchObject({ status: 200, type: 'image' })
    }, 60_000)

    it('leaves places to others when WeChat is slow with the answers for one', async () => {
      const slow: (() => void)[] = []
      const wechat = createServer((request, response) => {
        const answer = (): void => void response.end('{"errcode":0,"errmsg":"ok"}')
        void text(request).then((body) => (body.includes('oSlow') ? slow.push(answer) : answer()))
      })
      await once(wechat.listen(0, '127.0.0.1'), 'listening')
      const { url } = await here.open({
        WECHAT_API_BASE_URL: `http://127.0.0.1:${(wechat.address() as AddressInfo).port}`,
      })
      const type = (as: string, touser: string) =>
        wechatClient(url).post(`/message/custom/typing?access_token=${as}`, { touser, command: 'Typing' })
      const waiting = Array.from({ length: 40 }, () => type(token, 'oSlow'))
      await vi.waitFor(() => expect(slow.length).toBe(16), 20_000)
      expect(await Promise.all(Array.from({ length: 15 }, () => type(theirs, 'oAnna')))).toEqual(
        Array.from({ length: 15 }, () => expect.objectContaining(OK)),
      )
      for (const answer of slow) answer()
      const codes = (await Promise.all(waiting)).map(({ errcode }) => errcode)
      expect(codes.filter((code) => code === 0).length).toBe(16)
      expect(await type(token, 'oAnna')).toMatchObject(OK)
      wechat.closeAllConnections()
      wechat.close()
    })
  })
})
