// A client that was generated from the OpenAPI document, as a user would write with it. The types come from the document
// (`pnpm run docs`), so what is wrong with it shows in the type check of this file.
import createClient from 'openapi-fetch'
import { afterAll, beforeAll, expect, expectTypeOf, it } from 'vitest'
import type { components, paths } from '../support/openapi.gen.ts'
import {
  APPID,
  bury,
  EXPOSED,
  KEY,
  OPENID,
  openGateway,
  startWorld,
  type TestGateway,
  type World,
} from '../support/world.ts'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

it('sends, follows, lists, replays and cancels', async () => {
  const headers = { authorization: `Bearer ${KEY}` }
  const client = createClient<paths>({ baseUrl: `http://127.0.0.1:${gateway.port}`, headers })
  const path = { appid: APPID }
  const sent = await client.POST('/v1/apps/{appid}/messages', {
    params: { path, header: { 'Idempotency-Key': '"order-7"' } },
    body: { touser: OPENID, msgtype: 'text', text: { content: '您好' }, sendAt: Date.now() + 60_000 },
  })
  expect(sent.response.status).toBe(202)
  const id = sent.data?.id ?? ''
  const report = await client.GET('/v1/apps/{appid}/messages/{id}', { params: { path: { ...path, id } } })
  expectTypeOf(report.data).toEqualTypeOf<components['schemas']['StatusReport'] | undefined>()
  expect(report.data).toMatchObject({ id, status: 'scheduled', touser: OPENID })
  const cancelled = await client.DELETE('/v1/apps/{appid}/messages/{id}', { params: { path: { ...path, id } } })
  expect(cancelled.data?.status).toBe('cancelled')

  const batch = await client.POST('/v1/apps/{appid}/messages:batch', {
    params: { path },
    body: { messages: [{ touser: 'a b', msgtype: 'image', image: { media_id: 'M' } }] },
  })
  const [first] = batch.data?.results ?? []
  expect(first !== undefined && 'errors' in first ? first.errors?.[0]?.path : undefined).toBe('messages.0.touser')

  const [dead = ''] = await bury(world, [{ msgtype: 'text', text: { content: 'x' } }])
  const list = await client.GET('/v1/apps/{appid}/dead-letters', {
    params: { path, query: { errcode: 45015, limit: 1 } },
  })
  expect(list.data?.items[0]).toMatchObject({ id: dead, reason: { errcode: 45015 } })
  const replay = await client.POST('/v1/apps/{appid}/dead-letters/{id}:replay', {
    params: { path: { ...path, id: dead } },
  })
  expect(replay.data).toEqual({ id: `${dead.replace('d-', 'm-')}-1`, replayOf: dead })

  const nobody = createClient<paths>({ baseUrl: `http://127.0.0.1:${gateway.port}` })
  const refused = await nobody.GET('/v1/apps/{appid}/messages/{id}', { params: { path: { ...path, id } } })
  expect(refused.error).toMatchObject({ status: 401, code: 'key-missing' })
}, 60_000)
