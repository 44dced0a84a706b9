import { appRoutes } from '@bull-board/api/dist/routes.js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  APPID,
  ask,
  bury,
  deadIds,
  OPENID,
  openGateway,
  SECRET_TEXT,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from './support/world.ts'

const DEAD = `${APPID}-dead-letter`
const SEND = `${APPID}-send`
const API = '/dashboard/api/queues'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

describe('writing', () => {
  const isWrite = (method: string | string[]): boolean => [method].flat().join() !== 'get'
  const routes = appRoutes.api.flatMap(({ method, route }) =>
    isWrite(method)
      ? [method].flat().flatMap((verb) => [route].flat().map((path) => `${verb.toUpperCase()} ${path}`))
      : [],
  )
  const fill = (route: string, at: { queue: string; id: string; status: string }): string =>
    route
      .replace(' ', ' /dashboard')
      .replace(':queueName', at.queue)
      .replace(':jobId', at.id)
      .replace(':queueStatus', at.status)
      .replace(':schedulerId', 'some')
  const json = { headers: { 'content-type': 'application/json' }, body: '{}' }
  let id: string
  beforeAll(async () => {
    ;[id = ''] = await bury(world, [{ msgtype: 'text', text: { content: SECRET_TEXT } }])
  })

  it('knows the writing routes of the installed Bull Board', () => {
    // A changed list is a reason to look at what has come, not only to change it here.
    expect(routes.length).toBe(23)
    expect(routes).toContain('PUT /api/queues/:queueName/:jobId/retry')
    expect(routes).toContain('PUT /api/queues/:queueName/retry/:queueStatus')
    expect(appRoutes.entryPoint.method).toBe('get')
  })

  it.each(routes)('refuses %s, but for retrying a dead letter', async (route) => {
    const allowed = route.endsWith('/:jobId/retry')
    const isAll = route.endsWith('/retry/:queueStatus')
    for (const queue of [SEND, DEAD]) {
      for (const status of ['failed', 'completed', 'wait']) {
        if (allowed && queue === DEAD) continue
        const refusal = isAll && queue === DEAD && status === 'failed' ? 409 : 403
        const path = fill(route, { queue, id, status })
        for (const options of [json, {}])
          expect(await ask(gateway.port, path, options), path).toMatchObject({ status: refusal })
      }
    }
    expect(await deadIds(world)).toContain(id)
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('refuses %s on every other path', async (method) => {
    for (const path of [
      '/dashboard',
      '/dashboard/',
      '/dashboard/api',
      '/dashboard/static/x',
      `${API}/${DEAD}/${id}`,
      `${API}/${DEAD}`,
    ]) {
      expect(await ask(gateway.port, `${method} ${path}`, json), path).toMatchObject({ status: 403 })
    }
  })

  it('is not deceived by paths that are written differently', async () => {
    const clean = 'PUT /dashboard/api/queues/'
    const tricks = [
      `${clean}${DEAD}/${id}/clean/`,
      `${clean}${DEAD}//clean/failed`,
      `${clean}${DEAD}/${id}%2Fclean`,
      `${clean}${DEAD}%2F${id}%2Fclean`,
      `${clean}${DEAD}/${id}/CLEAN`,
      `${clean}${DEAD}/${id}/%63lean`,
      `${clean}${DEAD}/x/../${id}/clean`,
      `${clean}${DEAD}/x/%2e%2e/${id}/clean`,
      `${clean}${DEAD}/${id}/clean;/retry`,
      `${clean}${DEAD}/${id}/clean?/retry`,
      `${clean}${DEAD}/${id}/clean#/retry`,
      `${clean}${SEND}/retry/failed?queueName=${DEAD}`,
      `${clean}${SEND}/retry/failed/`,
      `${clean}${DEAD}/retry/completed?queueStatus=failed`,
      `${clean}${SEND}%00${DEAD}/retry/failed`,
      `${clean}${DEAD.toUpperCase()}/retry/failed`,
      `PUT //dashboard/api/queues/${DEAD}/clean/failed`,
      `PUT /dashboard//api/queues/${DEAD}/clean/failed`,
      `PUT /%64ashboard/api/queues/${DEAD}/clean/failed`,
      `PUT /Dashboard/api/queues/${DEAD}/clean/failed`,
      `PUT /dashboard/../dashboard/api/queues/${DEAD}/clean/failed`,
      `PUT http://elsewhere.example/dashboard/api/queues/${DEAD}/clean/failed`,
    ]
    const before = await deadIds(world)
    for (const trick of tricks) {
      const { status } = await ask(gateway.port, trick)
      expect([400, 403, 404], trick).toContain(status)
    }
    for (const header of ['x-http-method-override', 'x-method-override']) {
      await ask(gateway.port, `GET ${API}/${DEAD}/clean/failed`, { headers: { [header]: 'PUT' } })
    }
    expect(await deadIds(world)).toEqual(before)
  })

  it('retries one dead letter, and the message is in the send queue again', async () => {
    const consumer = await startUndertaker(world, { replayPerSecond: 1000 })
    const again = id.replace('d-', 'm-').concat('-1')
    expect(await ask(gateway.port, `PUT ${API}/${DEAD}/${id}/retry`)).toMatchObject({ status: 204 })
    await vi.waitFor(async () => expect((await world.outbox.status(again))?.replayOf).toBe(id), { timeout: 10_000 })
    await consumer.close(1000)
    expect(gateway.lines()).toContainEqual(
      expect.objectContaining({
        event: 'dashboard.write',
        action: 'retry',
        appid: APPID,
        queue: 'dead-letter',
        id,
        outcome: 'requested',
        user: 'anonymous',
      }),
    )
  })

  it('answers 404 for a dead letter that is not there', async () => {
    for (const unknown of ['d-doesnotexist', 'nonsense', '%E6%82%A8']) {
      expect(await ask(gateway.port, `PUT ${API}/${DEAD}/${unknown}/retry`), unknown).toMatchObject({ status: 404 })
    }
  })

  it('does not retry all, and says where that is done, in the field that the page shows', async () => {
    const [first = ''] = await bury(world, [{ msgtype: 'text', text: { content: SECRET_TEXT } }])
    const { status, text } = await ask(gateway.port, `PUT ${API}/${DEAD}/retry/failed`, json)
    const said = expect.stringContaining('/dead-letters')
    expect({ status, body: JSON.parse(text) }).toMatchObject({
      status: 409,
      body: { code: 'retry-all-off', detail: said, error: said },
    })
    expect(await deadIds(world)).toContain(first)
    expect(gateway.lines()).toContainEqual(
      expect.objectContaining({ event: 'dashboard.write', action: 'retry-all', outcome: 'refused', appid: APPID }),
    )
  })

  it('logs each refusal without repeating what was asked for, and no content anywhere', () => {
    const writes = gateway.lines().filter(({ event }) => event === 'dashboard.write')
    expect(writes.filter(({ outcome }) => outcome === 'refused').length).toBeGreaterThan(20)
    for (const word of [SECRET_TEXT, OPENID, 'activeQueue', 'elsewhere', '%2F', 'nonsense'])
      expect(gateway.text()).not.toContain(word)
  })
})
