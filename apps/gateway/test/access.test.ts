import { createLogger, digestApiKey, newApiKey } from '@wechat-outbox/runtime'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Access, createAccess } from '../src/access.ts'
import { openKeyRing } from '../src/key-ring.ts'

const APP = 'wx0000000000000001'
const OTHER = 'wx0000000000000002'
const keys = { all: newApiKey(), narrow: newApiKey(), reader: newApiKey() }

let written = ''
const log = createLogger({ level: 'debug', name: 'gateway', destination: { write: (line) => void (written += line) } })
const key = (id: string, from: string) => ({
  id,
  digest: digestApiKey(from),
  rights: ['send', 'read', 'replay'] as const,
})
const ring = [
  key('all', keys.all),
  { ...key('narrow', keys.narrow), apps: [APP] },
  { ...key('reader', keys.reader), rights: ['read'] as const },
]
const openAccess = (required = true): Access =>
  createAccess(
    {
      required,
      find: (digest) => ring.find((one) => one.digest.equals(digest)),
      byId: (id) => ring.find((one) => one.id === id),
      close: () => undefined,
    },
    log,
  )

async function open(access: Access): Promise<FastifyInstance> {
  const app = fastify()
  app.get('/apps/:appid', { onRequest: access.require('read') }, (request) => ({ caller: request.caller?.id }))
  app.post('/apps/:appid', { onRequest: access.require('send') }, (request) => ({ caller: request.caller?.id }))
  app.get('/everything', { onRequest: access.require('read') }, (request) => ({ caller: request.caller?.id }))
  await app.ready()
  return app
}

describe('with keys', () => {
  let app: FastifyInstance
  beforeAll(async () => {
    app = await open(openAccess())
  })
  afterAll(() => app.close())
  const ask = (method: 'GET' | 'POST', url: string, authorization?: string) =>
    app.inject({ method, url, headers: authorization === undefined ? {} : { authorization } })

  it('knows the caller of a key, however the scheme is written', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) {
      const answer = await ask('POST', `/apps/${APP}`, `${scheme} ${keys.all}`)
      expect({ status: answer.statusCode, body: answer.json() }).toEqual({ status: 200, body: { caller: 'all' } })
    }
  })

  it.each([
    ['nothing', undefined, 'Bearer realm="wechat-outbox"', 'key-missing'],
    ['another scheme', `Basic ${keys.all}`, 'Bearer realm="wechat-outbox"', 'key-missing'],
    ['two keys', `Bearer ${keys.all} ${keys.all}`, 'Bearer realm="wechat-outbox"', 'key-missing'],
    ['another key', `Bearer ${newApiKey()}`, 'Bearer realm="wechat-outbox", error="invalid_token"', 'key-unknown'],
    ['its beginning', `Bearer ${keys.all.slice(0, -1)}`, /invalid_token/, 'key-unknown'],
    ['more than it', `Bearer ${keys.all}${'x'.repeat(5000)}`, /invalid_token/, 'key-unknown'],
  ])('answers 401 to %s', async (_, authorization, challenge, code) => {
    const answer = await ask('GET', `/apps/${APP}`, authorization)
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.headers['www-authenticate']).toEqual(
      typeof challenge === 'string' ? challenge : expect.stringMatching(challenge),
    )
    expect(answer.json()).toMatchObject({ status: 401, code })
  })

  it('answers 403 where the key has not the app or not the right', async () => {
    const statuses = async (authorization: string) => [
      (await ask('GET', `/apps/${APP}`, authorization)).statusCode,
      (await ask('POST', `/apps/${APP}`, authorization)).statusCode,
      (await ask('GET', `/apps/${OTHER}`, authorization)).statusCode,
      (await ask('GET', '/everything', authorization)).statusCode,
    ]
    expect(await statuses(`Bearer ${keys.all}`)).toEqual([200, 200, 200, 200])
    expect(await statuses(`Bearer ${keys.narrow}`)).toEqual([200, 200, 403, 403])
    expect(await statuses(`Bearer ${keys.reader}`)).toEqual([200, 403, 200, 200])
    expect((await ask('GET', '/apps/*', `Bearer ${keys.narrow}`)).statusCode).toBe(403)
    const refused = await ask('POST', `/apps/${APP}`, `Bearer ${keys.reader}`)
    expect(refused.json()).toMatchObject({ status: 403, code: 'forbidden' })
    expect(refused.headers['www-authenticate']).toMatch(/error="insufficient_scope"/)
  })

  it('slows guessing down, and never the right key', async () => {
    const slow = await open(openAccess())
    const guess = (authorization: string, remoteAddress = '10.1.2.3') =>
      slow.inject({ method: 'GET', url: '/everything', headers: { authorization }, remoteAddress })
    const answers = []
    for (let n = 0; n < 8; n += 1) answers.push(await guess(`Bearer ${newApiKey()}`))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 401, 401, 401, 429, 429, 429, 429])
    expect(answers.at(-1)?.headers['retry-after']).toBe('1')
    expect(answers.at(-1)?.json()).toMatchObject({ code: 'too-many-attempts' })
    expect((await guess(`Bearer ${keys.all}`)).statusCode).toBe(200)
    expect((await guess(`Bearer ${newApiKey()}`)).statusCode).toBe(429)
    expect((await guess(`Bearer ${newApiKey()}`, '10.1.2.4')).statusCode).toBe(401)
    await slow.close()
  })

  it('bounds what all addresses together may try', async () => {
    const access = openAccess()
    const results = new Set<unknown>()
    for (let n = 0; n < 300; n += 1) results.add(await access.identify(newApiKey(), `10.${n >> 8}.${n & 255}.1`))
    expect(results).toContain('slow-down')
    expect(await access.identify(keys.all, '10.9.9.9')).toMatchObject({ id: 'all' })
  })

  it('logs ids and addresses, and no key', () => {
    expect(written).toContain('"event":"key.refused","address":"10.1.2.3","failures":4')
    for (const secret of [...Object.values(keys), 'wxo_']) expect(written).not.toContain(secret)
  })

  it('finds a caller again by what was handed out, and none whose key was replaced', async () => {
    const access = openAccess()
    const caller = await access.identify(keys.narrow, '10.0.0.1')
    expect(caller).toMatchObject({ id: 'narrow' })
    if (typeof caller === 'string') throw new Error(caller)
    const { holder } = caller
    expect(access.byHolder(holder)).toBe(caller)
    expect(access.byHolder(holder)?.may('send', APP)).toBe(true)
    expect(access.byHolder(holder)?.may('send', OTHER)).toBe(false)
    for (const other of ['local', 'narrow', `${holder}x`, holder.slice(0, -1), holder.replace('narrow', 'all')]) {
      expect(access.byHolder(other), other).toBeUndefined()
    }
  })
})

describe('without keys', () => {
  it('takes everybody as local, with all rights, and looks at no header', async () => {
    const access = openAccess(false)
    const app = await open(access)
    for (const authorization of ['Bearer whatever', 'Basic x', '']) {
      const answer = await app.inject({ method: 'POST', url: `/apps/${APP}`, headers: { authorization } })
      expect({ status: answer.statusCode, body: answer.json() }).toEqual({ status: 200, body: { caller: 'local' } })
    }
    expect(access.byHolder('local')?.may('replay', OTHER)).toBe(true)
    expect(access.byHolder('all')).toBeUndefined()
    await app.close()
  })
})

it('refuses to open with keys that cannot be used', () => {
  expect(() => openKeyRing({ GATEWAY_API_KEYS: 'short' }, log)).toThrow('GATEWAY_API_KEYS: key 1')
})
