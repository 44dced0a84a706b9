import { join } from 'node:path'
import { startProcess, startTcpProxy } from '@wechat-outbox/sandbox'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { APPID, ask, basic, EXPOSED, openGateway, startWorld, type TestGateway, type World } from './support/world.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const QUEUES = '/dashboard/api/queues'

let world: World
const gateways: TestGateway[] = []
async function open(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await openGateway({ REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID, ...env })
  gateways.push(gateway)
  return gateway
}
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()))
  await world?.close()
})

describe('health', () => {
  it('is alive and ready with Redis', async () => {
    const { port } = await open({})
    expect(await ask(port, 'GET /healthz')).toMatchObject({ status: 200, text: '{"status":"ok"}' })
    expect(await ask(port, 'GET /readyz')).toMatchObject({ status: 200, text: '{"status":"ready"}' })
  })

  it.each(['refuses', 'says nothing'])(
    'answers 503 while Redis %s, and recovers by itself',
    async (fault) => {
      const proxy = await startTcpProxy({ targetPort: world.redis.port })
      const { port, text, lines } = await open({ REDIS_URL: proxy.url('redis') })
      const ready = (status: number) =>
        vi.waitFor(async () => expect(await ask(port, 'GET /readyz')).toMatchObject({ status }), { timeout: 10_000 })
      await ready(200)
      // Until it has found them, a page of no queues would ask Redis nothing.
      const listed = async () => expect((await ask(port, `GET ${QUEUES}`)).text).toContain(APPID)
      await vi.waitFor(listed, { timeout: 10_000 })
      const fail = async (on: boolean): Promise<void> => {
        if (fault === 'says nothing') return proxy.stall(on)
        await proxy.refuse(on)
        proxy.resetAll()
      }
      await fail(true)
      await ready(503)
      for (const line of [`GET ${QUEUES}`, `PUT ${QUEUES}/${APPID}-dead-letter/d-1/retry`]) {
        const answer = await ask(port, line)
        expect(answer.status, line).toBe(503)
        expect(JSON.parse(answer.text)).toMatchObject({ status: 503, code: 'WXO_UNAVAILABLE' })
        expect(answer.text).not.toMatch(/redis:|127\.0|ECONN|\.ts:\d/)
      }
      expect(await ask(port, 'GET /healthz')).toMatchObject({ status: 200 })
      expect(await ask(port, 'GET /dashboard')).toMatchObject({ status: 200 })
      await fail(false)
      await ready(200)
      await vi.waitFor(async () => expect(await ask(port, `GET ${QUEUES}`)).toMatchObject({ status: 200 }), {
        timeout: 10_000,
      })
      expect(text()).not.toContain('redis://')
      expect(lines().filter(({ event }) => event === 'redis.unavailable').length).toBeLessThan(5)
      await proxy.close()
    },
    60_000,
  )

  it('starts without Redis, and shows the queues once it is there', async () => {
    const proxy = await startTcpProxy({ targetPort: world.redis.port })
    await proxy.refuse(true)
    const { port } = await open({ REDIS_URL: proxy.url('redis') })
    expect(await ask(port, 'GET /readyz')).toMatchObject({ status: 503 })
    expect(await ask(port, `GET ${QUEUES}`)).toMatchObject({ status: 503 })
    await proxy.refuse(false)
    await vi.waitFor(async () => expect((await ask(port, `GET ${QUEUES}`)).text).toContain(`${APPID}-send`), {
      timeout: 10_000,
    })
    await proxy.close()
  }, 30_000)
})

describe('the dashboard without a sign-in', () => {
  it('is off on a host that others reach, and says what to set', async () => {
    const { port, lines } = await open(EXPOSED)
    for (const line of [
      'GET /dashboard',
      'GET /dashboard/',
      `GET ${QUEUES}`,
      `PUT ${QUEUES}/x/retry/failed`,
      'GET /dashboard/static/css',
    ]) {
      const { status, headers, text } = await ask(port, line)
      expect({ status, type: headers['content-type'] }).toEqual({
        status: 403,
        type: 'application/problem+json; charset=utf-8',
      })
      expect(text).toMatch(/DASHBOARD_USER and DASHBOARD_PASSWORD/)
    }
    expect(await ask(port, 'GET /readyz')).toMatchObject({ status: 200 })
    expect(lines()).toContainEqual(expect.objectContaining({ level: 'warn', event: 'dashboard.off' }))
  })

  it('is on at loopback', async () => {
    const { port } = await open({})
    expect(await ask(port, 'GET /dashboard')).toMatchObject({ status: 200 })
  })
})

describe('the sign-in', () => {
  const env = { ...EXPOSED, DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'päss:word-of-tests' }

  it('stands before every path of the dashboard', async () => {
    const { port } = await open(env)
    const paths = [
      '',
      '/',
      '/queue/x',
      '/api/queues',
      '/api/redis/stats',
      '/static/images/logo.svg',
      '/outbox.css',
      '/nowhere',
      '/%61pi/queues',
    ]
    for (const path of paths) {
      const { status, headers, text } = await ask(port, `GET /dashboard${path}`)
      expect({ path, status }).toEqual({ path, status: 401 })
      expect(headers['www-authenticate']).toMatch(/^Basic realm="wechat-outbox"/)
      expect(JSON.parse(text)).toMatchObject({ status: 401, code: 'sign-in' })
    }
    expect(await ask(port, `PUT ${QUEUES}/x/retry/failed`)).toMatchObject({ status: 401 })
    expect(await ask(port, 'GET /healthz')).toMatchObject({ status: 200 })
  })

  it('lets the right user in and no other', async () => {
    const { port } = await open(env)
    const enter = (user: string, password: string) => ask(port, `GET ${QUEUES}`, { headers: basic(user, password) })
    expect(await enter('operator', 'päss:word-of-tests')).toMatchObject({ status: 200 })
    for (const [user, password] of [
      ['operator', 'päss:word-of-test'],
      ['Operator', 'päss:word-of-tests'],
      ['', ''],
    ] as const) {
      expect(await enter(user, password)).toMatchObject({ status: 401 })
    }
    expect(await ask(port, `GET ${QUEUES}`, { headers: { authorization: 'Bearer x' } })).toMatchObject({ status: 401 })
    expect(await ask(port, `GET ${QUEUES}`, { headers: { authorization: 'Basic ///' } })).toMatchObject({ status: 401 })
  })

  it('slows guessing down, lets the right user in meanwhile, and logs no credentials', async () => {
    const { port, text, lines } = await open(env)
    const enter = (password: string) => ask(port, `GET ${QUEUES}`, { headers: basic('operator', password) })
    const answers = []
    for (let guess = 0; guess < 6; guess += 1) answers.push(await enter(`guess-${guess}`))
    expect(answers.map(({ status }) => status)).toContain(429)
    expect(answers.at(-1)?.headers['retry-after']).toMatch(/^[1-5]$/)
    expect(await enter('päss:word-of-tests')).toMatchObject({ status: 200 })
    expect(lines()).toContainEqual(
      expect.objectContaining({ event: 'dashboard.sign-in-refused', address: '127.0.0.1', failures: 4 }),
    )
    expect(text()).not.toMatch(/guess-|ss:word|Basic |authorization/)
  }, 15_000)

  it('names the user in the log of what was changed', async () => {
    const { port, lines } = await open(env)
    const headers = basic('operator', 'päss:word-of-tests')
    expect(await ask(port, `PUT ${QUEUES}/${APPID}-dead-letter/d-1/retry`, { headers })).toMatchObject({ status: 404 })
    expect(lines()).toContainEqual(
      expect.objectContaining({ event: 'dashboard.write', action: 'retry', user: 'operator' }),
    )
  })
})

describe('what a browser gets', () => {
  it('may load nothing from elsewhere, be framed nowhere and send no referrer', async () => {
    const { port } = await open({})
    const { headers, text } = await ask(port, 'GET /dashboard')
    expect(headers['content-security-policy']).toBe(
      "default-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;object-src 'none';base-uri 'self';form-action 'self';frame-ancestors 'none'",
    )
    expect(headers).toMatchObject({
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
    expect(await ask(port, 'GET /nowhere')).toMatchObject({ headers: { 'x-frame-options': 'DENY' }, status: 404 })
  })
})

describe('the process', () => {
  it('listens on a free port, logs it, and ends with 0 on SIGTERM', async () => {
    const gateway = startProcess({
      args: [MAIN],
      env: { REDIS_URL: world.redis.url, GATEWAY_PORT: '0', LOG_LEVEL: 'info' },
    })
    const [line] = await gateway.waitForLine(/.*gateway\.listening.*/)
    const { url } = JSON.parse(line) as { url: string }
    expect(await ask(Number(new URL(url).port), 'GET /readyz')).toMatchObject({ status: 200 })
    expect(await gateway.stop()).toEqual({ code: 0, signal: null })
  }, 20_000)

  it('ends with 1 and every problem when its environment is bad', async () => {
    const env = {
      REDIS_URL: 'http://secret@nowhere',
      DASHBOARD_USER: 'a:b',
      GATEWAY_ALLOWED_HOSTS: 'a b',
      WECHAT_APP_ID: 'wx1',
    }
    const gateway = startProcess({ args: [MAIN], env: { ...env, DASHBOARD_PASSWORD: undefined } })
    expect(await gateway.exited).toEqual({ code: 1, signal: null })
    for (const name of [...Object.keys(env), 'DASHBOARD_PASSWORD']) expect(gateway.stderr()).toContain(name)
    expect(gateway.stderr()).not.toContain('secret')
  }, 20_000)
})

it('serves the files of its pages from memory, and nothing that is none', async () => {
  const { port } = await open({})
  for (const path of ['/docs/static/swagger-ui.css', '/dashboard/static/images/logo.svg']) {
    const first = await ask(port, `GET ${path}`)
    expect(first).toMatchObject({
      status: 200,
      headers: { 'content-type': expect.stringMatching(/^(text\/css|image\/svg)/) },
    })
    const headers = { 'if-none-match': String(first.headers.etag) }
    expect(await ask(port, `GET ${path}`, { headers })).toMatchObject({ status: 304, text: '' })
    expect(await ask(port, `HEAD ${path}`)).toMatchObject({ status: 200, text: '' })
    const folder = path.slice(0, path.lastIndexOf('/'))
    for (const none of ['/', '/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/x.css'])
      expect(await ask(port, `GET ${folder}${none}`)).toMatchObject({ status: 404 })
  }
})
