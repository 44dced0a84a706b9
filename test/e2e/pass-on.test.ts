// Typing and uploads of an app for which no worker has a good token: the gateway asks the workers, and one of them fetches it.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type CoWechatApi, coWechatApi } from './support/sdks.ts'
import { APP, type System, startSystem, text } from './support/system.ts'

const KEY = 'an-api-key-for-the-pass-on-tests'
const BYTES = Buffer.from('a small cat')

let system: System
let api: CoWechatApi
let base: string
beforeEach(async () => {
  system = await startSystem({ workers: 2 })
  base = await system.gateway({ GATEWAY_API_KEYS: KEY })
  api = coWechatApi(base, KEY)
})
afterEach(() => system?.close())

const upload = () => api.uploadMedia(BYTES, 'image', 'cat.png', 'image/png')
async function typing(): Promise<unknown> {
  const query = new URLSearchParams({ grant_type: 'client_credential', appid: APP, secret: KEY }).toString()
  const { access_token: token } = (await (await fetch(`${base}/cgi-bin/token?${query}`)).json()) as Record<
    string,
    string
  >
  const body = JSON.stringify({ touser: 'o-types', command: 'Typing' })
  return (await fetch(`${base}/cgi-bin/message/custom/typing?access_token=${token}`, { method: 'POST', body })).json()
}

it('an upload of an idle app works at once, and of two workers one fetches the token', async () => {
  expect((await system.fake.ledger()).tokenCalls).toEqual([])
  const [first, second] = await Promise.all([upload(), upload()])
  expect([first.media_id, second.media_id]).not.toContain(undefined)
  const { tokenCalls, otherCalls } = await system.fake.ledger()
  expect(tokenCalls).toHaveLength(1)
  expect(otherCalls).toMatchObject([{ errcode: 0 }, { errcode: 0 }])
}, 60_000)

it('a refused token is replaced while typing waits', async () => {
  expect(await typing()).toMatchObject({ errcode: 0 })
  await system.fake.invalidateTokens()
  expect(await typing()).toMatchObject({ errcode: 0 })
  const { tokenCalls, otherCalls } = await system.fake.ledger()
  expect(otherCalls.map(({ errcode }) => errcode)).toEqual([0, 40001, 0])
  expect(tokenCalls).toHaveLength(2)
}, 60_000)

it('a refused token is replaced while an upload waits', async () => {
  await upload()
  await system.fake.invalidateTokens()
  expect((await upload()).media_id).toMatch(/\S{20,}/)
  const { tokenCalls, otherCalls } = await system.fake.ledger()
  expect(otherCalls.map(({ errcode }) => errcode)).toEqual([0, 40001, 0])
  expect(tokenCalls).toHaveLength(2)
  const { id } = await system.outbox.send(text('o-after', 'after'))
  await vi.waitFor(async () => expect((await system.outbox.status(id))?.status).toBe('delivered'), 10_000)
  expect((await system.fake.ledger()).tokenCalls).toHaveLength(2)
}, 60_000)

it('a token endpoint that fails is not asked more often for typing', async () => {
  await system.fake.fault({ endpoint: 'token', fault: { name: 'errcode', errcode: 40164 } })
  for (let n = 0; n < 10; n += 1) expect(await typing()).toMatchObject({ errcode: -1 })
  expect((await system.fake.ledger()).tokenCalls).toHaveLength(1)
}, 60_000)
