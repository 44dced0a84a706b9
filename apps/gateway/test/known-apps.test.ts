// An appid with a typing error: over HTTP it is refused, and what a Node producer stores under one is shown.
import { request } from 'node:http'
import { Outbox } from '@wechat-outbox/outbox'
import { APPS_KEY, openStore } from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createKnownApps } from '../src/known-apps.ts'
import { wechatClient } from './support/entrance.ts'
import { call, textTo } from './support/v1.ts'
import {
  APPID,
  EXPOSED,
  KEY,
  openGateway,
  startUndertaker,
  startWorld,
  type TestGateway,
  type World,
} from './support/world.ts'

const MISTYPED = 'wx1234567890abcdee'
const LATER = 'wx00000000000000bb'

let world: World
let gateway: TestGateway
beforeAll(async () => {
  world = await startWorld()
  gateway = await openGateway({ REDIS_URL: world.redis.url })
})
afterAll(async () => {
  await gateway?.close()
  await world?.close()
})

const messagesOf = (appid: string): string => `/v1/apps/${appid}/messages`
const commandCalls = async (command: string): Promise<number> => {
  const stats = await world.store.redis.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

describe('an app that no worker has ever served', () => {
  it('gets no messages over HTTP, neither one nor a batch', async () => {
    const answers = await Promise.all([
      call(gateway.url, `POST ${messagesOf(MISTYPED)}`, { body: textTo('oAnna') }),
      call(gateway.url, `POST ${messagesOf(MISTYPED)}:batch`, { body: { messages: [textTo('oAnna')] } }),
      call(gateway.url, `POST ${messagesOf(MISTYPED)}`, { body: '{not JSON' }),
    ])
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'unknown-app', title: expect.any(String) } })
    }
    expect(await world.store.redis.keys(`{wxo:${MISTYPED}}*`)).toEqual([])
  })

  it('is refused before a body is read', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': 16_000_000 }
      const target = { port: gateway.port, method: 'POST', path: `${messagesOf(MISTYPED)}:batch`, headers }
      const asking = request({ host: '127.0.0.1', ...target }, (response) => {
        resolve(response.statusCode)
        response.destroy()
      })
      asking.on('error', reject)
      asking.write('{"messages":[')
    })
    expect(status).toBe(404)
  })

  it('is still no appid when it is none', async () => {
    const answer = await call(gateway.url, `POST ${messagesOf('wx1')}`, { body: textTo('oAnna') })
    expect(answer).toMatchObject({ status: 400, body: { code: 'WXO_INVALID', errors: [{ path: 'appid' }] } })
  })

  it('is known as soon as a worker serves it', async () => {
    expect((await call(gateway.url, `POST ${messagesOf(LATER)}`, { body: textTo('oAnna') })).status).toBe(404)
    const consumer = await startUndertaker(world, { appid: LATER })
    expect((await call(gateway.url, `POST ${messagesOf(LATER)}`, { body: textTo('oAnna') })).status).toBe(202)
    await consumer.close(1000)
  })

  it('gets messages where that is allowed', async () => {
    const open = await openGateway({ REDIS_URL: world.redis.url, ALLOW_UNKNOWN_APPS: 'true' })
    expect((await call(open.url, `POST ${messagesOf(MISTYPED)}`, { body: textTo('oAnna') })).status).toBe(202)
    await open.close()
  })

  it('gets none from an SDK either, although its token was given while that was allowed', async () => {
    const open = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED, ALLOW_UNKNOWN_APPS: 'true' })
    const { access_token: token = '' } = await wechatClient(open.url.replace('0.0.0.0', '127.0.0.1')).token(
      KEY,
      MISTYPED,
    )
    const body = { touser: 'oAnna', msgtype: 'text', text: { content: 'x' } }
    expect(await wechatClient(`http://127.0.0.1:${open.port}`).send(token, body)).toMatchObject({ errcode: 0 })
    const strict = await openGateway({ REDIS_URL: world.redis.url, ...EXPOSED })
    const client = wechatClient(`http://127.0.0.1:${strict.port}`)
    expect(await client.send(token, body)).toMatchObject({ status: 200, errcode: 40013 })
    expect(await client.token(KEY, MISTYPED)).toMatchObject({ errcode: 40013 })
    await Promise.all([open.close(), strict.close()])
  })
})

describe('many made-up appids', () => {
  it('share a few questions to Redis and are not remembered', async () => {
    const store = await openStore(await world.connect())
    const apps = createKnownApps({ store: () => Promise.resolve(store), configured: undefined, allowUnknown: false })
    expect(await apps.find(APPID)).toBe(true)
    await world.store.redis.config('RESETSTAT')
    const from = performance.now()
    const made = Array.from({ length: 50_000 }, (_, n) => `wxf${n.toString(16).padStart(15, '0')}`)
    const found = await Promise.all(made.map((appid) => apps.find(appid)))
    expect(found.some(Boolean)).toBe(false)
    const readings = Math.ceil((performance.now() - from) / 200) + 1
    // Those of the gateways of these tests aside, which look every three seconds.
    expect(await commandCalls('smembers')).toBeLessThanOrEqual(readings + 10)
    expect(made.some((appid) => apps.has(appid))).toBe(false)
    expect(apps.has(APPID)).toBe(true)
  })

  it('do not keep a known app from being found, and one that is known is not asked for', async () => {
    const apps = createKnownApps({
      store: () => Promise.reject(new Error('nobody may ask')),
      configured: APPID,
      allowUnknown: false,
    })
    expect(await apps.find(APPID)).toBe(true)
    await expect(apps.find(MISTYPED)).rejects.toThrow('nobody may ask')
    await world.store.redis.sadd(APPS_KEY, APPID)
  })
})

it('shows in the dashboard and in a metric what is stored for an app that nobody serves', async () => {
  const outbox = new Outbox({ redis: world.redis.url, appid: 'wx1234567890abcd00' })
  await outbox.send({ touser: 'oAnna', msgtype: 'text', text: { content: 'hello' } })
  await outbox.close()
  await vi.waitFor(
    async () => {
      const { queues } = (await (await fetch(`${gateway.url}/dashboard/api/queues`)).json()) as {
        queues: { displayName: string; description: string }[]
      }
      const shown = queues.find(({ displayName }) => displayName === 'wx1234567890abcd00 send – no worker')
      expect(shown?.description).toBe(
        'No worker has ever served wx1234567890abcd00, and 1 message waits for one. Is the appid right?',
      )
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
      expect(metrics).toContain('wxo_unserved_messages{app="wx1234567890abcd00"} 1\n')
    },
    { timeout: 30_000, interval: 200 },
  )
})
