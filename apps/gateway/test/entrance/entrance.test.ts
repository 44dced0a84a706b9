import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EntranceWorld, SHOP_KEY, startEntranceWorld, text, wechatClient } from '../support/entrance.ts'
import { APPID, ask } from '../support/world.ts'

let here: EntranceWorld
beforeAll(async () => {
  here = await startEntranceWorld()
})
beforeEach(() => here.restoreKeys())
afterAll(() => here?.close())

describe('what else is asked', () => {
  it('gets WeChat’s answers to wrong methods and paths', async () => {
    expect(await here.wechat.call('/message/custom/send')).toMatchObject({ status: 200, errcode: 43002 })
    expect(await here.wechat.post('/token', {})).toMatchObject({ status: 200, errcode: 43001 })
    expect(await here.wechat.call('/user/get?access_token=x')).toMatchObject({ status: 200, errcode: 40066 })
    expect(await here.wechat.post('/menu/create?access_token=x', {})).toMatchObject({ status: 200, errcode: 40066 })
  })

  it('is refused under a foreign name, or to a page of another site', async () => {
    const path = `GET /cgi-bin/token?grant_type=client_credential&appid=${APPID}&secret=${SHOP_KEY}`
    const port = Number(new URL(here.gateway.url).port)
    for (const headers of [{ host: 'evil.example' }, { host: 'localhost', 'sec-fetch-site': 'cross-site' }]) {
      const answer = await ask(port, path, { headers })
      expect(answer.status).toBe(403)
      expect(answer.text).not.toContain('access_token')
    }
    const origin = { host: 'localhost', origin: 'https://evil.example' }
    const send = `POST /cgi-bin/message/custom/send?access_token=${await here.tokenOf(SHOP_KEY)}`
    expect(await ask(port, send, { headers: origin, body: JSON.stringify(text('x')) })).toMatchObject({ status: 403 })
  })

  it('leaves no token, no key and no content in the log', async () => {
    const logged = await here.open()
    const client = wechatClient(logged.url)
    const { access_token: token = '' } = await client.token(SHOP_KEY)
    await client.send(token, text('the secret content'))
    await client.send('forged-token', text('the secret content'))
    await client.send(token, { ...text('the secret content'), 'the secret key of a field': 1 })
    await client.token('wrong-secret')
    expect(logged.lines()).toContainEqual(
      expect.objectContaining({
        event: 'http.answered',
        route: '/cgi-bin/message/custom/send',
        status: 200,
        key: 'shop',
      }),
    )
    expect(logged.lines()).toContainEqual(expect.objectContaining({ event: 'entrance.refused', errcode: 40001 }))
    expect(logged.text()).not.toMatch(
      new RegExp(`${token}|${SHOP_KEY}|forged-token|secret content|secret key|wrong-secret`),
    )
  })
})
