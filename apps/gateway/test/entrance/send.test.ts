import { startTcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EntranceWorld, OK, SHOP_KEY, startEntranceWorld, text, wechatClient } from '../support/entrance.ts'
import { APPID, ask } from '../support/world.ts'

let here: EntranceWorld
beforeAll(async () => {
  here = await startEntranceWorld()
})
beforeEach(() => here.restoreKeys())
afterAll(() => here?.close())

describe('a message', () => {
  let token: string
  beforeEach(async () => {
    token = await here.tokenOf(SHOP_KEY)
  })

  it('is in Redis when ok is said, as its client meant it', async () => {
    const answer = await here.wechat.send(token, text('您好 👋 <a href="x">y</a>'))
    expect(answer).toMatchObject(OK)
    const id = answer.headers.get('outbox-message-id')
    expect(await here.status(id)).toMatchObject({ status: 'queued', touser: 'oAnna', msgtype: 'text', appid: APPID })
    const job = await here.world.store.redis.hget(`{wxo:${APPID}}:send:${id}`, 'data')
    expect(JSON.parse(job ?? '')).toEqual({ v: 1, ...text('您好 👋 <a href="x">y</a>') })
  })

  it('may come as any type of content, or as none', async () => {
    const body = JSON.stringify(text('您好'))
    const types = [
      'application/json',
      'application/json; charset=utf-8',
      'text/plain',
      'application/x-www-form-urlencoded',
    ]
    for (const type of [...types, 'text/json;charset=GBK', 'nonsense', '']) {
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
      const path = `POST /cgi-bin/message/custom/send?access_token=${token}`
      const answer = await ask(here.gateway.port, path, { headers: { host: 'localhost', ...headers }, body })
      expect({ type, text: answer.text }).toEqual({ type, text: '{"errcode":0,"errmsg":"ok"}' })
    }
  })

  it('may wait for its user, as a header or the body says, and gets WeChat’s own words where it would be refused', async () => {
    const headers = { 'outbox-on-closed': 'hold' }
    const sent = [
      await here.wechat.send(token, text('held', 'oHeld'), headers),
      await here.wechat.send(token, { ...text('held', 'oHeld'), onClosed: 'hold' }),
    ]
    for (const answer of sent) {
      expect(answer).toMatchObject(OK)
      const id = answer.headers.get('outbox-message-id')
      expect(await here.world.store.redis.hget(`{wxo:${APPID}}:send:${id}`, 'onClosed')).toBe('hold')
    }
    await here.world.outbox.userActed({ touser: 'oHeld', action: 'enter' })
    await here.world.store.redis.hset(`{wxo:${APPID}}:window:oHeld`, 'used', '2')
    const refused = await here.wechat.send(token, text('vain', 'oHeld'), { 'outbox-on-closed': 'refuse' })
    expect(refused).toMatchObject({ errcode: 45015, errmsg: expect.stringContaining('response out of time limit') })
    const wrong = await here.wechat.send(token, text('vain', 'oHeld'), { 'outbox-on-closed': 'wait' })
    expect(wrong).toMatchObject({ errcode: 47001, errmsg: expect.stringContaining('onClosed') })
  })

  it('is stored once for one Idempotency-Key, and refused for another body', async () => {
    const headers = { 'idempotency-key': 'order-7' }
    const first = await here.wechat.send(token, text('one'), headers)
    const again = await here.wechat.send(token, text('one'), headers)
    expect([first, again]).toMatchObject([OK, OK])
    expect(again.headers.get('outbox-message-id')).toBe(first.headers.get('outbox-message-id'))
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const other = { status: 200, errcode: 47001, errmsg: expect.stringContaining('Idempotency-Key') }
    expect(await here.wechat.send(token, text('two'), headers)).toMatchObject(other)
    expect(await here.wechat.send(token, { ...text('one'), idempotencyKey: 'order-8' }, headers)).toMatchObject(other)
    const tooLong = { 'idempotency-key': 'k'.repeat(201) }
    expect(await here.wechat.send(token, text('one'), tooLong)).toMatchObject({ errcode: 47001 })
  })

  it('is stored again when it is sent again without a key, as WeChat would do', async () => {
    const ids = [await here.wechat.send(token, text('twice')), await here.wechat.send(token, text('twice'))].map(
      ({ headers }) => headers.get('outbox-message-id'),
    )
    expect(new Set(ids).size).toBe(2)
  })

  it('that cannot be read or stored is refused with WeChat’s codes, naming the place', async () => {
    const link = { title: 't', description: 'd', url: 'https://x.example' }
    for (const [body, errcode, place] of [
      ['', 44002, 'empty'],
      ['{"touser":', 47001, 'JSON'],
      [new Uint8Array([0x7b, 0xc4, 0xe3]), 47001, 'UTF-8'],
      [text('x', 'no openid'), 40003, 'touser'],
      [{ touser: 'oAnna', msgtype: 'voice', voice: { media_id: 'm' } }, 40008, 'msgtype'],
      [text(''), 44004, 'text.content'],
      [text('您'.repeat(1000)), 45002, '2048'],
      [{ touser: 'oAnna', msgtype: 'link', link }, 47001, 'link.thumb_url'],
      [{ ...text('x'), customservice: { kf_account: 7 } }, 47001, 'customservice.kf_account'],
      [{ ...text('x'), aimsgcontext: { is_ai_msg: 2 } }, 47001, 'aimsgcontext.is_ai_msg must be 0 or 1'],
      [{ ...text('x'), miniprogrampage: { title: 't' } }, 47001, 'miniprogrampage belongs to another msgtype'],
      [{ ...text('x'), sendAt: 'soon' }, 47001, 'sendAt'],
      [text('red \u001B[31m'), 47001, 'text.content contains the control character U+001B'],
    ] as const) {
      const answer = await here.wechat.send(token, body)
      expect(answer, JSON.stringify(body)).toMatchObject({
        status: 200,
        errcode,
        errmsg: expect.stringContaining(place),
      })
    }
  })

  it('is stored with all that WeChat takes beside it, and without what a typed SDK writes as null', async () => {
    const beside = {
      aimsgcontext: { is_ai_msg: 1 },
      businessid: 'B-1',
      customservice: { kf_account: 'test1@kftest' },
    }
    const nulls = { appid: null, image: null, link: null, miniprogrampage: null, voice: null, idempotencyKey: null }
    const body = { ...text('beside'), ...beside, ...nulls, sendAt: null, metadata: null, ifUnsure: null }
    const answer = await here.wechat.send(token, body, { 'idempotency-key': 'beside-1' })
    expect(answer).toMatchObject(OK)
    const id = answer.headers.get('outbox-message-id')
    const job = await here.world.store.redis.hget(`{wxo:${APPID}}:send:${id}`, 'data')
    expect(JSON.parse(job ?? '')).toEqual({ v: 1, ...text('beside'), ...beside })
    // To leave a key out is to say the same.
    const again = await here.wechat.send(token, { ...text('beside'), ...beside }, { 'idempotency-key': 'beside-1' })
    expect(again.headers.get('outbox-message-id')).toBe(id)
  })

  it('is answered without anything that one SDK cannot parse', async () => {
    const answer = await here.wechat.send(token, { ...text('x'), 'a"b\\c\nd': 1 })
    expect(answer.errmsg).toMatch(/^[^"\\\p{Cc}]+a'b'c'd[^"\\\p{Cc}]+$/u)
  })

  it('may be scheduled, and carry what the outbox knows besides', async () => {
    const sendAt = Date.now() + 3_600_000
    const answer = await here.wechat.send(token, { ...text('later'), sendAt, metadata: { order: 7 } })
    expect(answer).toMatchObject(OK)
    expect(await here.status(answer.headers.get('outbox-message-id'))).toMatchObject({
      status: 'scheduled',
      metadata: { order: 7 },
    })
  })

  it('of more than 64 KiB is a 413 in WeChat’s form', async () => {
    const answer = await here.wechat.send(token, text('x'.repeat(70_000)))
    expect(answer).toMatchObject({ status: 413, errcode: 45002 })
  })
})

describe('while Redis is away', () => {
  it.each(['refuses', 'says nothing'])(
    'and %s, the answer is WeChat’s -1, and afterwards ok again',
    async (fault) => {
      const proxy = await startTcpProxy({ targetPort: here.world.redis.port })
      const client = wechatClient((await here.open({ REDIS_URL: proxy.url('redis') })).url)
      const token = await vi.waitFor(async () => {
        const answer = await client.token(SHOP_KEY)
        expect(answer.access_token).toBeDefined()
        return answer.access_token ?? ''
      }, 10_000)
      expect(await client.send(token, text('before'))).toMatchObject(OK)
      const fail = async (on: boolean): Promise<void> => {
        if (fault === 'says nothing') return proxy.stall(on)
        await proxy.refuse(on)
        proxy.resetAll()
      }
      await fail(true)
      const busy = { status: 200, errcode: -1, errmsg: expect.stringMatching(/^system error/) }
      for (const answer of [
        await client.send(token, text('during')),
        await client.token(SHOP_KEY),
        await client.stableToken(SHOP_KEY),
      ]) {
        expect(answer).toMatchObject(busy)
        expect(answer.errmsg).not.toMatch(/redis|127\.0|ECONN/i)
      }
      // Whether a secret is right does not depend on Redis.
      expect(await client.token('a-wrong-one')).toMatchObject({ errcode: 40125 })
      await fail(false)
      await vi.waitFor(async () => expect(await client.send(token, text('after'))).toMatchObject(OK), {
        timeout: 15_000,
        interval: 200,
      })
      await proxy.close()
    },
    60_000,
  )
})
