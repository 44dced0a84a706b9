import { SANDBOX_APP_ID, SANDBOX_APP_SECRET } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createWechatTokens } from '../../src/entrance/wechat-token.ts'
import { CRM_KEY, type EntranceWorld, OK, startEntranceWorld, wechatClient } from '../support/entrance.ts'

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
  async function storeRealToken(value: string): Promise<void> {
    const [lifetime, expiresAt] = [7_200_000, Date.now() + 7_200_000]
    const token = { value, parameter: 'access_token', version: 1, lifetime, expiresAt }
    await here.world.store.redis.hset(`{wxo:${SANDBOX_APP_ID}}:token`, token)
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
})
