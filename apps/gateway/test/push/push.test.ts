// WeChat’s push at the gateway: taken in every mode and form, recorded once, and forwarded as it came to a service that checks it itself.
import { getSignature } from '@wecom/crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AES_KEY,
  countOf,
  type Form,
  type Mode,
  makePush,
  nowS,
  type PushOptions,
  type PushWorld,
  push,
  type Received,
  type Service,
  startPushWorld,
  TOKEN,
  textFields,
} from '../support/push.ts'
import { APPID, ask, openGateway, type TestGateway, type World } from '../support/world.ts'

/** Pushed in the clear, and forwarded. */
const PLAIN = 'wx00000000000000c1'
/** Encrypted, and forwarded. */
const BEHIND = 'wx00000000000000c2'

const KEY = 'a-key-that-no-push-ever-has'

let opened: PushWorld
let world: World
let service: Service
let gateway: TestGateway
const appsFile = () => [
  { appid: PLAIN, push: { token: TOKEN, forwardUrl: `${service.url}/plain` } },
  { appid: BEHIND, push: { token: TOKEN, aesKey: AES_KEY, forwardUrl: `${service.url}/wechat?tenant=7` } },
  { appid: 'wx00000000000000c3' },
]
beforeAll(async () => {
  opened = await startPushWorld()
  ;({ world, service } = opened)
  await opened.writeApps(appsFile())
  gateway = await openGateway({ ...opened.env, PUSH_TOKEN: TOKEN, PUSH_AES_KEY: AES_KEY, GATEWAY_API_KEYS: KEY })
})
afterAll(async () => {
  await gateway?.close()
  await opened?.close()
})
beforeEach(() => {
  service.received.length = 0
  service.answers = () => ({ status: 200, body: 'success' })
})

const secure = { mode: 'secure' } as const
const windowOf = (touser: string, appid = APPID) => world.outbox.window(touser, appid)
const count = (app: string, result: string): Promise<number> => countOf({ url: gateway.url, key: KEY }, app, result)

describe('WeChat’s verification', () => {
  const line = (query: Record<string, string>, appid = APPID) =>
    ask(gateway.port, `GET /v1/apps/${appid}/push?${new URLSearchParams(query).toString()}`)
  const timestamp = String(nowS())
  const query = {
    signature: getSignature(TOKEN, timestamp, '1', ''),
    timestamp,
    nonce: '1',
    echostr: '<b>4375120948345356249',
  }

  it('gets its echostr, as text', async () => {
    expect(await line(query)).toMatchObject({
      status: 200,
      text: '<b>4375120948345356249',
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    })
    expect(await line(query, BEHIND)).toMatchObject({ status: 200, text: query.echostr })
    expect(service.received).toEqual([])
  })

  it.each([
    ['another signature', { signature: getSignature('another1', timestamp, '1', '') }, 403],
    ['no signature', { signature: '' }, 403],
    ['an echostr without end', { echostr: 'x'.repeat(257) }, 403],
  ])('is refused with %s', async (_what, more, status) => {
    expect(await line({ ...query, ...more })).toMatchObject({ status })
  })

  it('finds nothing for an app without push, and takes no other method', async () => {
    for (const appid of ['wx00000000000000c3', 'wx00000000000000c4', 'x']) {
      expect(await line(query, appid)).toMatchObject({ status: 404 })
      expect((await push(gateway.url, makePush(textFields()), appid)).status).toBe(404)
    }
    expect(await ask(gateway.port, `PUT /v1/apps/${APPID}/push`)).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST' },
    })
    expect(await ask(gateway.port, `HEAD /v1/apps/${APPID}/push`)).toMatchObject({ status: 405 })
  })
})

describe('a push', () => {
  const cases = (['json', 'xml'] as Form[]).flatMap((form) =>
    (['plain', 'compatible', 'secure'] as Mode[]).map((mode) => ({ form, mode })),
  )

  it.each(cases)('in $mode mode and $form is recorded, and answered with success', async ({ form, mode }) => {
    const touser = `o-${form}-${mode}`
    const appid = mode === 'plain' ? PLAIN : APPID
    const fields = textFields({ FromUserName: touser })
    const made = makePush(fields, { form, mode, appid })
    expect(await push(gateway.url, made, appid)).toMatchObject({ status: 200, text: 'success' })
    const at = new Date(Number(fields['CreateTime']) * 1000).toISOString()
    expect(await windowOf(touser, appid)).toMatchObject({ remaining: 5, lastAction: { action: 'message', at } })
  })

  it('without a content type is taken, and one that a browser sends from elsewhere is not', async () => {
    expect(await push(gateway.url, { ...makePush(textFields(), secure), type: '' })).toMatchObject({ status: 200 })
    const { query, body } = makePush(textFields(), secure)
    const foreign = { headers: { origin: 'https://evil.example', 'content-type': 'text/xml' }, body: String(body) }
    expect(await ask(gateway.port, `POST /v1/apps/${APPID}/push?${query}`, foreign)).toMatchObject({ status: 403 })
  })

  it('that WeChat repeats is one action', async () => {
    const touser = 'o-repeats'
    const made = makePush(textFields({ FromUserName: touser }), secure)
    await push(gateway.url, made)
    await world.store.redis.hset(`{wxo:${APPID}}:window:${touser}`, 'used', '2')
    for (let n = 0; n < 2; n += 1) expect(await push(gateway.url, made)).toMatchObject({ text: 'success' })
    expect(await windowOf(touser)).toMatchObject({ remaining: 3 })
    // The same second, and another message.
    await push(gateway.url, makePush(textFields({ FromUserName: touser, MsgId: '24563721467123456790' }), secure))
    expect(await windowOf(touser)).toMatchObject({ remaining: 5 })
  })

  it('of an entering user opens a shorter window, and one of another event none', async () => {
    const event = (FromUserName: string, Event: string) =>
      makePush({ ToUserName: 'gh_1', FromUserName, CreateTime: nowS(), MsgType: 'event', Event }, secure)
    const ignored = await count(APPID, 'ignored')
    expect(await push(gateway.url, event('o-enters', 'user_enter_tempsession'))).toMatchObject({ text: 'success' })
    expect(await push(gateway.url, event('o-checked', 'wxa_media_check'))).toMatchObject({ text: 'success' })
    expect(await windowOf('o-enters')).toMatchObject({ remaining: 2, lastAction: { action: 'enter' } })
    expect(await windowOf('o-checked')).toMatchObject({ state: 'unknown' })
    const impossible = makePush(textFields({ FromUserName: 'o-1970', CreateTime: 1 }), secure)
    expect(await push(gateway.url, impossible)).toMatchObject({ text: 'success' })
    expect(await count(APPID, 'ignored')).toBe(ignored + 2)
  })

  it('of cloud hosting that only looks for the path is answered', async () => {
    const check = makePush({}, { message: '{"action":"CheckContainerPath"}' })
    expect(await push(gateway.url, check, PLAIN)).toMatchObject({ status: 200, text: 'success' })
    expect(service.received).toEqual([])
  })
})

describe('refused, recorded nowhere and forwarded nowhere is', () => {
  const refusals: [string, string, PushOptions, number, string][] = [
    ['another token', BEHIND, { ...secure, token: 'another1' }, 403, 'signature'],
    ['another token', PLAIN, { token: 'another1' }, 403, 'signature'],
    ['another key', BEHIND, { ...secure, aesKey: AES_KEY.replace('a', 'b') }, 403, 'ciphertext'],
    ['another app’s push', BEHIND, { ...secure, appid: APPID }, 403, 'appid'],
    ['an old push', BEHIND, { ...secure, timestamp: nowS() - 310 }, 403, 'age'],
    ['a push of the future', PLAIN, { timestamp: nowS() + 310 }, 403, 'age'],
    ['a plain push where there is a key', BEHIND, {}, 403, 'mode'],
    ['an encrypted push where there is none', PLAIN, secure, 403, 'mode'],
    ['no form that is WeChat’s', BEHIND, { ...secure, message: 'hello' }, 400, 'body'],
    [
      'an entity bomb',
      PLAIN,
      { message: '<!DOCTYPE x [<!ENTITY a "aa">]><xml><MsgType>&a;</MsgType></xml>' },
      400,
      'body',
    ],
    ['more than 64 KiB', PLAIN, { message: `{"x":"${'x'.repeat(65_536)}"}` }, 413, 'too-large'],
  ]

  it.each(refusals)('%s (%s)', async (_what, appid, options, status, reason) => {
    const before = await count(appid, 'refused')
    const touser = 'o-refused'
    const made = makePush(textFields({ FromUserName: touser }), { appid, ...options })
    expect((await push(gateway.url, made, appid)).status).toBe(status)
    expect(await count(appid, 'refused')).toBe(before + 1)
    expect(await windowOf(touser, appid)).toMatchObject({ state: 'unknown' })
    expect(service.received).toEqual([])
    expect(gateway.lines().filter((line) => line['appid'] === appid && line['reason'] === reason)).toHaveLength(1)
  })
})

describe('the service behind the gateway', () => {
  it('gets the push as it came, finds its signature good, and answers WeChat', async () => {
    service.answers = ({ path, body }) => {
      const query = new URL(path, service.url).searchParams
      const get = (name: string): string => query.get(name) ?? ''
      const [, encrypted = ''] = /<Encrypt><!\[CDATA\[(.*?)\]\]><\/Encrypt>/.exec(String(body)) ?? []
      const isGood = getSignature(TOKEN, get('timestamp'), get('nonce'), encrypted) === get('msg_signature')
      return { status: isGood ? 200 : 401, headers: { 'content-type': 'text/xml' }, body: '<xml>好</xml>' }
    }
    const made = makePush(textFields({ FromUserName: 'o-forwarded' }), { form: 'xml', mode: 'secure', appid: BEHIND })
    expect(await push(gateway.url, made, BEHIND)).toEqual({ status: 200, type: 'text/xml', text: '<xml>好</xml>' })
    const [{ method, path, headers, body }] = service.received as [Received]
    expect({ method, path, type: headers['content-type'] }).toEqual({
      method: 'POST',
      path: `/wechat?tenant=7&${made.query}`,
      type: 'text/xml',
    })
    expect(body.equals(made.body)).toBe(true)
    expect(await windowOf('o-forwarded', BEHIND)).toMatchObject({ remaining: 5 })
  })

  it('gets events, too, that open no window', async () => {
    const fields = { FromUserName: 'o-1', CreateTime: nowS(), MsgType: 'event', Event: 'wxa_media_check' }
    await push(gateway.url, makePush(fields, { appid: BEHIND, ...secure }), BEHIND)
    expect(service.received).toHaveLength(1)
  })

  it.each([
    ['fails', { status: 500, body: 'at /srv/app.js:7' }, 502],
    ['leads elsewhere', { status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' }, 502],
    ['answers without end', { status: 200, body: 'x'.repeat(65_537) }, 502],
  ])('that %s makes WeChat ask again, and what the user did is stored', async (what, answer, status) => {
    service.answers = () => answer
    const touser = `o-${what.replaceAll(' ', '-')}`
    for (let n = 0; n < 3; n += 1) {
      const pushed = await push(
        gateway.url,
        makePush(textFields({ FromUserName: touser }), { appid: BEHIND, ...secure }),
        BEHIND,
      )
      expect(pushed).toMatchObject({ status, text: expect.not.stringContaining('app.js') })
    }
    expect(service.received).toHaveLength(3)
    expect(await windowOf(touser, BEHIND)).toMatchObject({ remaining: 5 })
    expect(await count(BEHIND, 'forward-failed')).toBeGreaterThanOrEqual(3)
  })

  it('that does not answer does not keep WeChat from an answer for five seconds', async () => {
    service.answers = () => undefined
    const asked = performance.now()
    const made = makePush(textFields({ FromUserName: 'o-slow' }), { appid: BEHIND, ...secure })
    expect((await push(gateway.url, made, BEHIND)).status).toBe(504)
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(await windowOf('o-slow', BEHIND)).toMatchObject({ remaining: 5 })
  })
})

describe('the apps file', () => {
  it('may repeat no push of the environment, and its problems are told at the start', async () => {
    const env = { ...opened.env, WECHAT_APP_ID: PLAIN, PUSH_TOKEN: TOKEN }
    await expect(openGateway(env)).rejects.toThrow(`the push of ${PLAIN} is configured twice`)
  })

  it('is read again on SIGHUP, and one with a mistake in it changes nothing', async () => {
    const made = makePush(textFields({ FromUserName: 'o-again' }))
    await opened.writeApps([{ appid: PLAIN, push: { token: TOKEN, aesKey: 'geheim', forwardUrl: 'ftp://geheim' } }])
    const [line] = gateway.lines().filter(({ event }) => event === 'push-apps.refused')
    expect(line?.['problems']).toEqual([
      expect.stringMatching(/^WECHAT_APPS_FILE 0\.push\.aesKey must be the EncodingAESKey/),
      expect.stringMatching(/^WECHAT_APPS_FILE 0\.push\.forwardUrl must be an http or https URL/),
    ])
    expect(await push(gateway.url, made, PLAIN)).toMatchObject({ text: 'success' })
    await opened.writeApps([{ appid: 'wx00000000000000c3', push: { token: TOKEN } }])
    expect((await push(gateway.url, made, PLAIN)).status).toBe(404)
    expect(await push(gateway.url, made, 'wx00000000000000c3')).toMatchObject({ text: 'success' })
    await opened.writeApps(appsFile())
  })
})

// Last: it takes Redis away.
describe('while Redis is away', () => {
  it('WeChat gets no success, and the service its push', async () => {
    const pid = Number(/^process_id:(\d+)/m.exec(String(await world.store.redis.info('server')))?.[1])
    process.kill(pid, 'SIGSTOP')
    try {
      const fields = textFields({ FromUserName: 'o-away' })
      const [alone, forwarded] = await Promise.all([
        push(gateway.url, makePush(fields, secure)),
        push(gateway.url, makePush(fields, { appid: BEHIND, ...secure }), BEHIND),
      ])
      expect([alone.status, forwarded.status]).toEqual([503, 503])
      expect(service.received).toHaveLength(1)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    const again = () => push(gateway.url, makePush(textFields({ FromUserName: 'o-away' }), secure))
    await vi.waitFor(async () => expect(await again()).toMatchObject({ status: 200 }), {
      timeout: 20_000,
      interval: 200,
    })
    expect(await windowOf('o-away')).toMatchObject({ remaining: 5 })
  })

  it('nothing that was pushed stands in the log', () => {
    const log = gateway.text()
    for (const secret of [TOKEN, AES_KEY, '内容', 'o-forwarded', 'o-slow', 'geheim', service.url, 'app.js']) {
      expect(log).not.toContain(secret)
    }
  })
})
