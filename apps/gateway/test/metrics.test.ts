import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask, EXPOSED, KEY, openGateway, startWorld, type TestGateway, type World } from './support/world.ts'

let world: World
let local: TestGateway
let exposed: TestGateway
beforeAll(async () => {
  world = await startWorld()
  local = await openGateway({ REDIS_URL: world.redis.url })
  exposed = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED })
})
afterAll(async () => {
  await Promise.all([local, exposed].map((gateway) => gateway?.close()))
  await world?.close()
})

it('are for everybody at loopback, and for a key on a host that others reach', async () => {
  const type = 'text/plain; version=0.0.4; charset=utf-8'
  expect(await ask(local.port, 'GET /metrics')).toMatchObject({ status: 200, headers: { 'content-type': type } })
  expect(await ask(exposed.port, 'GET /metrics')).toMatchObject({ status: 401 })
  const headers = { authorization: `Bearer ${KEY}` }
  const { status, text } = await ask(exposed.port, 'GET /metrics', { headers })
  expect(status).toBe(200)
  expect(text).toContain('process_cpu_user_seconds_total')
  expect(exposed.text()).not.toContain(KEY)
})
