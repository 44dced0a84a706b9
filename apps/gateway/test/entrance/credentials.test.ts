import { createAccessTokens } from '@wechat-outbox/outbox/engine'
import { hashApiKey } from '@wechat-outbox/runtime'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AUDIT_KEY,
  CRM_KEY,
  type EntranceWorld,
  KEYS,
  OK,
  OTHER_APPID,
  SHOP_KEY,
  startEntranceWorld,
  text,
  UNSERVED_APPID,
  wechatClient,
  writeKeys,
} from '../support/entrance.ts'
import { APPID } from '../support/world.ts'

let here: EntranceWorld
beforeAll(async () => {
  here = await startEntranceWorld()
})
beforeEach(() => here.restoreKeys())
afterAll(() => here?.close())

describe('a token', () => {
  it('is given for an API key, and good for sending at every gateway', async () => {
    const answer = await here.wechat.token(CRM_KEY)
    expect(answer).toMatchObject({ status: 200, access_token: expect.stringMatching(/^\S{60,512}$/), expires_in: 7200 })
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const other = wechatClient((await here.open()).url)
    for (const client of [here.wechat, other]) {
      expect(await client.send(answer.access_token ?? '', text('hello'))).toMatchObject(OK)
    }
  })

  it('is the same from the stable endpoint until it is forced', async () => {
    const first = await here.wechat.stableToken(SHOP_KEY)
    const other = wechatClient((await here.open()).url)
    expect((await other.stableToken(SHOP_KEY)).access_token).toBe(first.access_token)
    const forced = await here.wechat.stableToken(SHOP_KEY, { force_refresh: true })
    expect(forced).toMatchObject({
      access_token: expect.not.stringContaining(first.access_token ?? ''),
      expires_in: 7200,
    })
    expect(await here.wechat.send(first.access_token ?? '', text('old'))).toMatchObject({ status: 200, errcode: 40001 })
    expect(await here.wechat.send(forced.access_token ?? '', text('new'))).toMatchObject(OK)
  })

  it('is refused with WeChat’s codes', async () => {
    const ask = (query: Record<string, string>) => here.wechat.call(`/token?${new URLSearchParams(query).toString()}`)
    const good = { grant_type: 'client_credential', appid: APPID, secret: SHOP_KEY }
    for (const [change, errcode] of [
      [{ grant_type: 'password' }, 40002],
      [{ appid: '' }, 41002],
      [{ secret: '' }, 41004],
      [{ appid: 'wx1' }, 40013],
      [{ secret: 'not-a-key' }, 40125],
    ] as const) {
      expect(await ask({ ...good, ...change }), JSON.stringify(change)).toMatchObject({ status: 200, errcode })
    }
    expect(await here.wechat.post('/stable_token', '')).toMatchObject({ status: 200, errcode: 44002 })
    expect(await here.wechat.post('/stable_token', 'grant_type=x')).toMatchObject({ status: 200, errcode: 47001 })
    expect(await here.wechat.post('/stable_token', { ...good, secret: { a: 1 } })).toMatchObject({ errcode: 40125 })
  })

  it('is refused to a key of another app, or without the right, as if the key were wrong', async () => {
    const wrong = await here.wechat.token('a-key-that-nobody-has-ever')
    for (const refused of [
      await here.wechat.token(SHOP_KEY, OTHER_APPID),
      await here.wechat.token(SHOP_KEY, UNSERVED_APPID),
      await here.wechat.token(AUDIT_KEY),
      await here.wechat.stableToken(AUDIT_KEY),
    ]) {
      expect(refused).toMatchObject({ status: 200, errcode: 40125, errmsg: wrong.errmsg })
    }
  })

  it('is refused for an app that no worker has served', async () => {
    expect(await here.wechat.token(CRM_KEY, UNSERVED_APPID)).toMatchObject({ errcode: 40013 })
    const own = wechatClient((await here.open({ WECHAT_APP_ID: UNSERVED_APPID })).url)
    expect(await own.token(CRM_KEY, UNSERVED_APPID)).toMatchObject({ expires_in: 7200 })
  })

  it('has to wait after some wrong secrets, and the right one does not', async () => {
    const guessed = wechatClient((await here.open()).url)
    const codes: (number | undefined)[] = []
    for (let guess = 0; guess < 12; guess += 1) codes.push((await guessed.token(`guess-number-${guess}`)).errcode)
    expect(codes).toContain(45011)
    expect(await guessed.token(SHOP_KEY)).toMatchObject({ expires_in: 7200 })
  })
})

describe('a token that is not good', () => {
  const refused = { status: 200, errcode: 40001 }

  it('is 40001, whether it was forged, has ended, was revoked or names another app', async () => {
    const tokens = createAccessTokens(here.world.store, APPID)
    const good = await here.tokenOf(SHOP_KEY)
    const moved = good.replace(APPID.slice(2), OTHER_APPID.slice(2))
    for (const token of ['forged', '61_something-of-WeChats', `${good.slice(0, -1)}_`, moved]) {
      expect(await here.wechat.send(token, text('x')), token).toMatchObject(refused)
    }
    expect(await here.wechat.send('', text('x'))).toMatchObject({ status: 200, errcode: 41001 })
    expect(await here.wechat.post('/message/custom/send', text('x'))).toMatchObject({ status: 200, errcode: 41001 })
    expect(await here.wechat.send(good, text('x'))).toMatchObject(OK)
    const [holder = ''] = (await here.world.store.redis.keys('*:access:of:shop~*')).map((key) => key.split(':').at(-1))
    await tokens.revoke(holder)
    expect(await here.wechat.send(good, text('x'))).toMatchObject(refused)
  })

  it('is 40001 as soon as its key is gone or has lost the app or the right', async () => {
    const path = here.keysPath
    const [token, shop] = [await here.tokenOf(CRM_KEY), await here.tokenOf(SHOP_KEY)]
    expect(await here.wechat.send(token, text('x'))).toMatchObject(OK)
    const [, crm] = KEYS
    for (const less of [[], [{ ...crm, rights: ['read', 'replay'] }], [{ ...crm, apps: [OTHER_APPID] }]]) {
      await writeKeys(path, [...KEYS.filter(({ id }) => id !== 'crm'), ...less])
      expect(await here.wechat.send(token, text('x'))).toMatchObject(refused)
      expect(await here.wechat.send(shop, text('x'))).toMatchObject(OK)
    }
    await writeKeys(path, KEYS)
    expect(await here.wechat.send(token, text('x'))).toMatchObject(OK)
  })

  it('is 40001 as soon as its key has been replaced under the same id', async () => {
    const issued = [await here.tokenOf(CRM_KEY), (await here.wechat.stableToken(CRM_KEY)).access_token ?? '']
    const next = 'the-next-key-of-the-crm-1'
    await writeKeys(here.keysPath, [...KEYS.filter(({ id }) => id !== 'crm'), { id: 'crm', hash: hashApiKey(next) }])
    for (const token of issued) expect(await here.wechat.send(token, text('x'))).toMatchObject(refused)
    expect(await here.wechat.send(await here.tokenOf(next), text('x'))).toMatchObject(OK)
  })

  it('sends for its own app, whatever the body says', async () => {
    const token = await here.tokenOf(SHOP_KEY)
    const answer = await here.wechat.send(token, { ...text('x'), appid: OTHER_APPID })
    expect(answer).toMatchObject({ status: 200, errcode: 47001, errmsg: expect.stringContaining('appid') })
  })
})

describe('without keys, on loopback', () => {
  it('any secret will do', async () => {
    const local = wechatClient((await here.open({ GATEWAY_KEYS_FILE: '' })).url)
    const [one, two] = [await local.stableToken('any'), await local.stableToken('thing')]
    for (const { access_token: token = '' } of [one, two, await local.stableToken('any')]) {
      expect(await local.send(token, text('x'))).toMatchObject(OK)
    }
  })
})
