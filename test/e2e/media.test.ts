// Pictures by URL, with everything that their servers do: real processes, a real HTTP server, WeChat's part played by the fake.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import {
  connectRedis,
  openStore,
  type RedisClient,
  readDeadLetter,
  type Store,
  whenReady,
} from '@wechat-outbox/outbox/engine'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { APP, type System, startSystem, text } from './support/system.ts'

const PNG_HEAD = Buffer.from('\x89PNG\r\n\x1A\n', 'latin1')
const MARK = 'these-bytes-are-not-kept'
/** A picture of its own for each name. */
const picture = (name: string): Buffer => Buffer.concat([PNG_HEAD, Buffer.from(`${MARK} ${name}`)])
const BYTES_MAX = 100_000

type Answer = (request: IncomingMessage, response: ServerResponse) => void
const answers = new Map<string, Answer>()
let asked: string[] = []

const pictures = createServer((request, response) => {
  const path = request.url ?? ''
  asked.push(path)
  const answer = answers.get(path)
  if (answer !== undefined) return answer(request, response)
  response.writeHead(200, { 'content-type': 'image/png' }).end(picture(path))
})
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(code, headers).end('<html>')
const body =
  (bytes: Buffer, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(200, headers).end(bytes)

function* repeat(bytes: Buffer) {
  for (;;) yield bytes
}
const endless =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(code, headers)
    const source = Readable.from(repeat(Buffer.alloc(65_536)))
    source.pipe(response).once('close', () => source.destroy())
  }

let system: System
let redis: RedisClient
let store: Store
let base: string
beforeAll(async () => {
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(pictures.address() as AddressInfo).port}`
  const env = { MEDIA_ALLOWED_HOSTS: '127.0.0.1', MEDIA_BYTES_MAX: String(BYTES_MAX), RETRY_ATTEMPTS_MAX: '3' }
  system = await startSystem({ workers: 4, env })
  redis = connectRedis(system.redis.url, 'operate')
  await whenReady(redis, 5000)
  store = await openStore(redis)
}, 60_000)
beforeEach(async () => {
  asked = []
  await system.fake.clearFaults()
})
afterAll(async () => {
  redis?.disconnect()
  await system?.close()
  pictures.closeAllConnections()
  pictures.close()
}, 60_000)

const image = (touser: string, url: string) => ({ touser, msgtype: 'image' as const, image: { url } })
const send = async (touser: string, path: string): Promise<string> =>
  (await system.outbox.send(image(touser, path.startsWith('http') ? path : base + path))).id
const ended = (id: string, expected: string) =>
  vi.waitFor(
    async () => {
      const report = await system.outbox.status(id)
      expect(report?.status, JSON.stringify(report)).toBe(expected)
      return report
    },
    { timeout: 30_000, interval: 50 },
  )
const uploads = async () => (await system.fake.ledger()).otherCalls.filter(({ path }) => path.endsWith('/media/upload'))
const uploadsSince = async (before: number) => (await uploads()).slice(before)
/** What WeChat took for a person. */
const taken = async (touser: string) =>
  (await system.fake.sends()).filter((one) => one.accepted && one.touser === touser)
const reasonOf = async (id: string) => (await readDeadLetter(store, APP, `d-${id.slice(2)}`))?.reason

describe('a picture by its URL', () => {
  it('is uploaded once for two hundred messages that four workers begin at once, and none of it is kept', async () => {
    const before = (await uploads()).length
    const requests = Array.from({ length: 200 }, (_, n) => image(`o-many-${n}`, `${base}/many.png`))
    const results = await system.outbox.sendMany(requests)
    for (const result of results) await ended('id' in result ? result.id : '', 'delivered')
    const made = await uploadsSince(before)
    expect(made).toMatchObject([{ errcode: 0, body: { filename: 'image.png' } }])
    // Each worker asks for itself.
    expect(asked.length).toBeLessThanOrEqual(4)
    const bodies = (await system.fake.sends()).filter((one) => one.touser?.startsWith('o-many-'))
    expect(new Set(bodies.map((one) => (one.body as { image: { media_id: string } }).image.media_id)).size).toBe(1)
    expect(new Set(bodies.map(({ touser }) => touser)).size).toBe(200)
    for (const key of await redis.keys('*')) {
      const dump = await redis.dumpBuffer(key)
      expect(dump?.includes(MARK) ?? false, key).toBe(false)
    }
  }, 90_000)

  it('is the thumb of a card, and a producer’s own media id is left alone', async () => {
    const card = { title: 't', pagepath: 'p', thumb_url: `${base}/thumb.png` }
    const { id } = await system.outbox.send({ touser: 'o-card', msgtype: 'miniprogrampage', miniprogrampage: card })
    await ended(id, 'delivered')
    const [sent] = await taken('o-card')
    expect(sent?.body).toEqual({
      touser: 'o-card',
      msgtype: 'miniprogrampage',
      miniprogrampage: { title: 't', pagepath: 'p', thumb_media_id: expect.stringMatching(/^[\w-]{64}$/) },
    })
    const own = await system.outbox.send({ touser: 'o-own', msgtype: 'image', image: { media_id: 'OWN' } })
    await ended(own.id, 'delivered')
    expect(await taken('o-own')).toMatchObject([{ body: { image: { media_id: 'OWN' } } }])
  }, 60_000)

  it('is uploaded once more within the same try when WeChat has forgotten it', async () => {
    await ended(await send('o-again', '/again.png'), 'delivered')
    await system.fake.forgetMedia()
    const before = (await uploads()).length
    const ids = await Promise.all(['o-again', 'o-again-2', 'o-again-3'].map((to) => send(to, '/again.png')))
    for (const id of ids) {
      const report = await ended(id, 'delivered')
      const outcomes = report?.attempts.map(({ outcome }) => outcome) ?? []
      expect(outcomes.filter((outcome) => outcome !== 'media-renewed')).toEqual(['delivered'])
    }
    expect(await uploadsSince(before)).toHaveLength(1)
  }, 60_000)

  it.each([
    ['404', status(404), 'picture: HTTP 404'],
    ['410', status(410), 'picture: HTTP 410'],
    ['403', status(403), 'picture: HTTP 403'],
    ['too-large', body(Buffer.alloc(BYTES_MAX + 1)), `picture: larger than ${BYTES_MAX} bytes`],
    ['endless', endless(200), `picture: larger than ${BYTES_MAX} bytes`],
    ['endless-404', endless(404), 'picture: HTTP 404'],
    ['endless-302', endless(302), 'picture: HTTP 302'],
    ['long-410', endless(410, { 'content-length': '1000000' }), 'picture: HTTP 410'],
    ['endless-redirect', endless(302, { location: '/endless-404' }), 'picture: HTTP 404'],
    ['page', body(Buffer.from('<!doctype html>')), 'picture: 15 bytes that are no PNG, JPEG or GIF'],
    ['empty', body(Buffer.alloc(0)), 'picture: 0 bytes that are no PNG, JPEG or GIF'],
    [
      'bomb',
      body(gzipSync(Buffer.concat([PNG_HEAD, Buffer.alloc(50_000_000)])), { 'content-encoding': 'gzip' }),
      expect.stringContaining('that are no PNG, JPEG or GIF'),
    ],
    ['inside', status(302, { location: 'http://127.1.2.3/' }), 'picture: not a public address'],
    ['loop', status(302, { location: '/loop' }), 'picture: more than 3 redirects'],
  ] as [string, Answer, string][])(
    'that is no use is dead as media-unavailable: %s',
    async (path, answer, errmsg) => {
      answers.set(`/${path}`, answer)
      const before = (await uploads()).length
      const id = await send(`o-${path}`, `/${path}`)
      const report = await ended(id, 'dead')
      expect(report?.attempts).toMatchObject([{ outcome: 'dead', errmsg }])
      expect(await reasonOf(id)).toMatchObject({ errcode: null, name: 'media-unavailable', errmsg })
      expect(await uploadsSince(before)).toEqual([])
      expect(await taken(`o-${path}`)).toEqual([])
    },
    60_000,
  )

  it.each(['http://127.1.2.4/a.png', 'http://[::1]/a.png', 'http://0x7f.1.2.4/a.png', 'http://localhost./a.png'])(
    'at no public address is not asked for, neither as a picture nor as a thumb: %s',
    async (url) => {
      const miniprogrampage = { title: 't', pagepath: 'p', thumb_url: url }
      const card = { touser: 'o-private-card', msgtype: 'miniprogrampage' as const, miniprogrampage }
      const ids = [await send('o-private', url), (await system.outbox.send(card)).id]
      for (const id of ids) {
        await ended(id, 'dead')
        const errmsg = url.includes('localhost') ? 'the host has no public address' : 'not a public address'
        expect(await reasonOf(id)).toMatchObject({ name: 'media-unavailable', errmsg: `picture: ${errmsg}` })
      }
    },
    60_000,
  )

  it('whose server is busy is tried again, and dead when the tries are used up', async () => {
    let left = 1
    answers.set('/busy', (request, response) => {
      if (left-- > 0) return endless(503, { 'retry-after': '0' })(request, response)
      response.writeHead(200).end(picture('busy'))
    })
    const report = await ended(await send('o-busy', '/busy'), 'delivered')
    expect(report?.attempts).toMatchObject([
      { outcome: 'retry', errmsg: 'picture: HTTP 503' },
      { outcome: 'delivered' },
    ])
    answers.set('/away', (request) => void request.socket.destroy())
    const away = await send('o-away', '/away')
    expect((await ended(away, 'dead'))?.attempts).toHaveLength(3)
    expect(await reasonOf(away)).toMatchObject({
      name: 'media-unavailable',
      errmsg: expect.stringContaining('picture: '),
    })
    // The picture is back, and so is the message.
    answers.delete('/away')
    const { code, stdout } = await system.wxo('dead', 'replay', '--app', APP, '--yes', '--json', `d-${away.slice(2)}`)
    expect(code, stdout).toBe(0)
    await vi.waitFor(async () => expect(await taken('o-away')).toHaveLength(1), { timeout: 20_000, interval: 100 })
  }, 60_000)

  it('that is slow holds up nobody else, and its message keeps its place', async () => {
    let release = (): void => undefined
    answers.set('/slow', (_request, response) => {
      release = () => void response.writeHead(200).end(picture('slow'))
    })
    const slow = await send('o-slow', '/slow')
    await vi.waitFor(() => expect(asked).toContain('/slow'), { timeout: 10_000 })
    // Should the worker die now, no call was open.
    expect(await redis.hget(store.backend(APP, 'send').toKey(slow), 'sending')).toBeFalsy()
    const behind = (await system.outbox.send(text('o-slow', 'behind the picture'))).id
    await ended((await system.outbox.send(text('o-other', 'beside the picture'))).id, 'delivered')
    release()
    answers.delete('/slow')
    const report = await ended(slow, 'delivered')
    expect(report?.attempts).toMatchObject([{ outcome: 'delivered' }])
    await ended(behind, 'delivered')
    expect((await taken('o-slow')).map(({ msgtype }) => msgtype)).toEqual(['image', 'text'])
  }, 60_000)
})

describe('what WeChat says to an upload', () => {
  const fault = (errcode: number, times = 1) =>
    system.fake.fault({ endpoint: 'media', times, fault: { name: 'errcode', errcode } })

  it('is judged like an answer to a send: refused for good, busy, and a token that is replaced', async () => {
    await fault(40_137)
    const dead = await send('o-up-dead', '/up-dead.png')
    await ended(dead, 'dead')
    const words = { errcode: 40_137, name: 'unsupported-image-format', errmsg: expect.stringMatching(/^upload: /) }
    expect(await reasonOf(dead)).toMatchObject(words)

    await fault(-1)
    const busy = await ended(await send('o-up-busy', '/up-busy.png'), 'delivered')
    expect(busy?.attempts).toMatchObject([{ outcome: 'retry', errcode: -1 }, { outcome: 'delivered' }])

    await system.fake.invalidateTokens()
    const renewed = await ended(await send('o-up-token', '/up-token.png'), 'delivered')
    expect(renewed?.attempts.at(-1)).toMatchObject({ outcome: 'delivered' })
    expect(renewed?.attempts.slice(0, -1).every(({ outcome }) => outcome === 'token-refreshed')).toBe(true)
  }, 60_000)

  it('costs no message anything when its answer is lost', async () => {
    await system.fake.fault({ endpoint: 'media', times: 1, fault: 'accept-then-reset' })
    const report = await ended(await send('o-up-lost', '/up-lost.png'), 'delivered')
    expect(report?.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'delivered'])
    expect(await taken('o-up-lost')).toHaveLength(1)
  }, 60_000)

  it('holds the app at a quota, and the picture waits with its message', async () => {
    await fault(45_009)
    const id = await send('o-up-quota', '/up-quota.png')
    await vi.waitFor(
      async () => expect((await system.outbox.status(id))?.attempts).toMatchObject([{ outcome: 'throttled' }]),
      20_000,
    )
    expect((await system.wxo('app', 'resume', APP)).code).toBe(0)
    await ended(id, 'delivered')
  }, 60_000)
})
