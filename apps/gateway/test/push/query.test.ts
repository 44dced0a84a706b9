// Pushes that are WeChat’s but for one parameter of their query: each is refused in every mode, and recorded nowhere. What is odd is signed,
// so that nothing but its form is wrong.
import { appPrefix } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AES_KEY,
  countOf,
  type Mode,
  makePush,
  nowS,
  type Push,
  type PushOptions,
  type PushWorld,
  push,
  startPushWorld,
  TOKEN,
  textFields,
} from '../support/push.ts'
import { APPID, ask, openGateway, type TestGateway } from '../support/world.ts'

/** Its pushes are plain. */
const PLAIN = 'wx00000000000000c1'
const KEY = 'a-key-that-no-push-ever-has'
const PERSON = 'o-query'

let opened: PushWorld
let gateway: TestGateway
beforeAll(async () => {
  opened = await startPushWorld()
  await opened.writeApps([{ appid: PLAIN, push: { token: TOKEN } }])
  gateway = await openGateway({ ...opened.env, PUSH_TOKEN: TOKEN, PUSH_AES_KEY: AES_KEY, GATEWAY_API_KEYS: KEY })
})
afterAll(async () => {
  await gateway?.close()
  await opened?.close()
})
// One that was taken must not be found by the next test.
beforeEach(() => opened.world.store.redis.del(...[PLAIN, APPID].map((appid) => `${appPrefix(appid)}:window:${PERSON}`)))

const appOf = (mode: Mode): string => (mode === 'plain' ? PLAIN : APPID)
const fields = () => textFields({ FromUserName: PERSON })
const refusedOf = (appid: string) => countOf({ url: gateway.url, key: KEY }, appid, 'refused')

/** The push with other parameters; undefined: without that one. */
function asked(made: Push, parameters: Readonly<Record<string, string | undefined>>): Push {
  const query = new URLSearchParams(made.query)
  for (const [name, value] of Object.entries(parameters)) {
    query.delete(name)
    for (const one of value?.split(',') ?? []) query.append(name, one)
  }
  return { ...made, query: query.toString() }
}

async function expectRefused(made: Push, appid: string): Promise<void> {
  const before = await refusedOf(appid)
  expect((await push(gateway.url, made, appid)).status).toBe(403)
  expect(await refusedOf(appid)).toBe(before + 1)
  expect(await opened.world.outbox.window(PERSON, appid)).toMatchObject({ state: 'unknown' })
}

describe.each<[Mode, string]>([
  ['plain', 'signature'],
  ['compatible', 'msg_signature'],
  ['secure', 'msg_signature'],
])('in %s mode a push', (mode, signature) => {
  const appid = appOf(mode)
  const made = (options: PushOptions = {}): Push => makePush(fields(), { mode, appid, ...options })

  it.each([
    ['without any', undefined],
    ['with an empty', ''],
    ['with half a', 'a'.repeat(20)],
    ['with no hex digits as', 'g'.repeat(40)],
  ])(`%s ${signature} is refused`, (_what, value) => expectRefused(asked(made(), { [signature]: value }), appid))

  const now = nowS()
  it.each([
    ['none at all', '', undefined],
    ['an empty one', '', ''],
    ['words', 'now', 'now'],
    ['a fraction', `${now}.5`, `${now}.5`],
    ['a sign', `+${now}`, `+${now}`],
    ['more digits than a time has', `0000${now}`, `0000${now}`],
    ['two of them', `${now},${now}`, `${now},${now}`],
  ])('with %s as its timestamp is refused', (_what, timestamp, sent) =>
    expectRefused(asked(made({ timestamp }), { timestamp: sent }), appid),
  )

  it.each([
    ['none at all', '', undefined],
    ['an empty one', '', ''],
    ['one without end', 'n'.repeat(129), 'n'.repeat(129)],
    ['two of them', '1,2', '1,2'],
  ])('with %s as its nonce is refused', (_what, nonce, sent) =>
    expectRefused(asked(made({ nonce }), { nonce: sent }), appid),
  )
})

it('a verification without any signature is refused', async () => {
  const query = new URLSearchParams({ timestamp: String(nowS()), nonce: '1', echostr: 'echo' })
  for (const appid of [PLAIN, APPID]) {
    const before = await refusedOf(appid)
    expect(await ask(gateway.port, `GET /v1/apps/${appid}/push?${query.toString()}`)).toMatchObject({ status: 403 })
    expect(await refusedOf(appid)).toBe(before + 1)
  }
})

it.each<Mode>(['plain', 'compatible', 'secure'])('in %s mode the same push with all of them counts', async (mode) => {
  const appid = appOf(mode)
  const longest = makePush(fields(), { mode, appid, nonce: 'n'.repeat(128) })
  expect(await push(gateway.url, longest, appid)).toMatchObject({ status: 200, text: 'success' })
  expect(await opened.world.outbox.window(PERSON, appid)).toMatchObject({ state: 'open' })
})
