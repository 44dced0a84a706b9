// What users did comes in over HTTP, and what WeChat would take goes out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, textTo } from '../support/v1.ts'
import { APPID, openGateway, startWorld, type TestGateway, type World } from '../support/world.ts'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WINDOW_ENTER: '3/1m' })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const users = (openid: string): string => `/v1/apps/${APPID}/users/${openid}`
const act = (openid: string, body: unknown) => call(gateway.url, `POST ${users(openid)}/actions`, { body })
const window = (openid: string) => call(gateway.url, `GET ${users(openid)}/window`)

describe('an action', () => {
  it('opens the window as the gateway is configured', async () => {
    expect(await window('o-acts')).toMatchObject({
      status: 200,
      body: { state: 'unknown', remaining: null, waiting: 0, waitingForUser: 0 },
    })
    expect(await act('o-acts', { action: 'enter' })).toMatchObject({ status: 204 })
    expect(await window('o-acts')).toMatchObject({
      body: { state: 'open', remaining: 3, lastAction: { action: 'enter', at: expect.stringMatching(/Z$/) } },
    })
    const at = new Date(Date.now() - 1000).toISOString()
    expect(await act('o-acts', { action: 'message', at: Date.now() - 60_000, id: '1' })).toMatchObject({ status: 204 })
    expect((await window('o-acts')).body).toMatchObject({ remaining: 5, lastAction: { action: 'enter' } })
    expect(await act('o-acts', { action: 'message', at, id: '2' })).toMatchObject({ status: 204 })
  })

  it('is refused with every problem named', async () => {
    const { status, body } = await act('o%20x', { action: 'wave', at: 1, touser: 'o-x' })
    expect(status).toBe(400)
    const paths = (body as { errors: { path: string }[] }).errors.map(({ path }) => path)
    expect(paths.toSorted()).toEqual(['action', 'at', 'openid', 'touser'])
    expect(
      await call(gateway.url, `POST ${users('o-x').replace(APPID, 'wxffffffffffffffff')}/actions`, {
        body: { action: 'enter' },
      }),
    ).toMatchObject({ status: 404, body: { code: 'unknown-app' } })
  })
})

it('a message that would be sent in vain is refused where it asks for that', async () => {
  await act('o-closed', { action: 'enter' })
  await world.store.redis.hset(`{wxo:${APPID}}:window:o-closed`, 'used', '3')
  const body = { ...textTo('o-closed'), onClosed: 'refuse' }
  const refused = await call(gateway.url, `POST /v1/apps/${APPID}/messages`, { body })
  expect(refused).toMatchObject({ status: 409, body: { code: 'WXO_WINDOW_CLOSED' } })
  const batch = await call(gateway.url, `POST /v1/apps/${APPID}/messages:batch`, { body: { messages: [body] } })
  expect(batch).toMatchObject({ status: 207, body: { results: [{ status: 409, code: 'WXO_WINDOW_CLOSED' }] } })
  const held = await call(gateway.url, `POST /v1/apps/${APPID}/messages`, { body: { ...body, onClosed: 'hold' } })
  expect(held.status).toBe(202)
  expect((await window('o-closed')).body).toMatchObject({ state: 'used-up', remaining: 0, waiting: 1 })
})
