import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APPID, ask, basic, EXPOSED, openGateway, startWorld, type TestGateway, type World } from './support/world.ts'

const RETRY = `PUT /dashboard/api/queues/${APPID}-dead-letter/d-1/retry`
const READ = 'GET /dashboard/api/queues'

let world: World
let local: TestGateway
let named: TestGateway
let exposed: TestGateway
const signedIn = basic('operator', 'only-for-these-tests')
beforeAll(async () => {
  world = await startWorld()
  const env = { REDIS_URL: world.redis.url, WECHAT_APP_ID: APPID }
  const credentials = { DASHBOARD_USER: 'operator', DASHBOARD_PASSWORD: 'only-for-these-tests' }
  local = await openGateway(env)
  named = await openGateway({
    ...env,
    ...credentials,
    ...EXPOSED,
    GATEWAY_ALLOWED_HOSTS: 'ops.example.com, 10.0.0.5',
  })
  exposed = await openGateway({ ...env, ...credentials, ...EXPOSED })
})
afterAll(async () => {
  await Promise.all([local, named, exposed].map((gateway) => gateway?.close()))
  await world?.close()
})

describe('the name that was asked for', () => {
  it.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST'])('may be %s, with any port', async (name) => {
    expect(await ask(local.port, READ, { headers: { host: `${name}:${local.port}` } })).toMatchObject({ status: 200 })
    expect(await ask(local.port, READ, { headers: { host: name } })).toMatchObject({ status: 200 })
  })

  it.each([
    'rebound.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    '127.0.0.1:x',
    'localhost evil',
  ])('may not be "%s"', async (host) => {
    for (const line of [READ, RETRY, 'GET /dashboard', 'GET /dashboard/static/images/logo.svg']) {
      const { status, text } = await ask(local.port, line, { headers: { host } })
      expect(status, line).toBe(403)
      expect(text).not.toContain('evil')
    }
  })

  it('may be any where the sign-in protects, unless the names are listed', async () => {
    const read = (gateway: TestGateway, host: string) => ask(gateway.port, READ, { headers: { host, ...signedIn } })
    expect(await read(exposed, 'ops.internal')).toMatchObject({ status: 200 })
    expect(await read(named, 'ops.example.com')).toMatchObject({ status: 200 })
    expect(await read(named, '10.0.0.5:3000')).toMatchObject({ status: 200 })
    expect(await read(named, 'localhost')).toMatchObject({ status: 200 })
    expect(await read(named, 'ops.internal')).toMatchObject({ status: 403 })
  })

  it('does not matter for health', async () => {
    expect(await ask(local.port, 'GET /readyz', { headers: { host: 'pod-7.internal' } })).toMatchObject({ status: 200 })
  })
})

// Of a dead letter that is not there: whoever is let in hears that.
describe('a request that changes something', () => {
  const retry = (headers: Record<string, string>, body?: string) =>
    ask(local.port, RETRY, {
      headers: { host: `localhost:${local.port}`, ...headers },
      ...(body === undefined ? {} : { body }),
    })

  it('is taken from the own page and from no page', async () => {
    expect(await retry({})).toMatchObject({ status: 404 })
    expect(await retry({ origin: `http://localhost:${local.port}`, 'sec-fetch-site': 'same-origin' })).toMatchObject({
      status: 404,
    })
    expect(await retry({ 'sec-fetch-site': 'none' })).toMatchObject({ status: 404 })
    expect(await retry({ 'content-type': 'application/json; charset=utf-8' }, '{}')).toMatchObject({ status: 404 })
    expect(await retry({ 'content-type': 'application/json' })).toMatchObject({ status: 404 })
    const headers = {
      host: 'ops.example.com',
      origin: 'https://ops.example.com',
      'sec-fetch-site': 'same-origin',
      ...signedIn,
    }
    expect(await ask(named.port, RETRY, { headers })).toMatchObject({ status: 404 })
  })

  it.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { origin: 'http://localhost' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
  ] as Record<string, string>[])('is refused with %o', async (headers) => {
    expect(await retry(headers)).toMatchObject({ status: 403 })
  })

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain; application/json',
  ])('is refused as %s, with a body and without', async (type) => {
    expect(await retry({ 'content-type': type }, '{}')).toMatchObject({ status: 415 })
    expect(await retry({ 'content-type': type })).toMatchObject({ status: 415 })
  })

  it('is refused with a body of no type', async () => {
    expect(await retry({}, '{}')).toMatchObject({ status: 415 })
  })
})

it('lets a link from elsewhere lead to the page, and nothing elsewhere load its data', async () => {
  const from = (site: string, mode: string, path: string) =>
    ask(local.port, `GET ${path}`, { headers: { 'sec-fetch-site': site, 'sec-fetch-mode': mode } })
  expect(await from('cross-site', 'navigate', '/dashboard')).toMatchObject({ status: 200 })
  expect(await from('cross-site', 'no-cors', '/dashboard/api/queues')).toMatchObject({ status: 403 })
  expect(await from('same-origin', 'cors', '/dashboard/api/queues')).toMatchObject({ status: 200 })
})

it('gives no other site leave to read', async () => {
  const { headers } = await ask(local.port, READ, { headers: { origin: 'https://evil.example' } })
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
  const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' }
  expect(await ask(local.port, RETRY.replace('PUT', 'OPTIONS'), { headers: preflight })).toMatchObject({ status: 403 })
})
