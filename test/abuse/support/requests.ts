// Requests that nobody who means well would send: drawn by chance from a seed, written byte by byte, and each with what
// must not come of it.

import { createHash } from 'node:crypto'
import type { Random } from '../../chaos/support/random.ts'
import { APP, BROKEN, MARK, SEND, TRICKS } from './oddities.ts'

export const OTHER_APP = 'wx00000000000000bb'

export interface Keys {
  /** For every app. */
  readonly all: string
  /** For `OTHER_APP` alone. */
  readonly other: string
  /** Looks at messages and sends none. */
  readonly reader: string
  /** The dashboard's user and password, as HTTP basic has them. */
  readonly basic: string
  /** Access tokens that the gateway gave out, and that are good no longer; and one of `OTHER_APP`, made to look like ours. */
  readonly expiredToken: string
  readonly revokedToken: string
  readonly movedToken: string
  /** What WeChat signs its pushes with. */
  readonly pushToken: string
}

export interface Abuse {
  readonly what: string
  /** Written in this order, each as a piece of its own. */
  readonly bytes: readonly Buffer[]
  /** It must not succeed: no 2xx, and on WeChat's own paths no errcode 0. */
  readonly mustFail: boolean
  /** Its sender does not wait for an answer: Node takes that for the end of the connection, answered or not. */
  readonly hangsUp?: boolean
  /** The address that it comes from, where guesses must not have made it wait already. */
  readonly from?: string | undefined
}

interface Draw {
  readonly random: Random
  readonly keys: Keys
}

type Headers = Readonly<Record<string, string>>
interface Message {
  readonly method?: string
  readonly path?: string
  readonly headers?: Headers
  readonly body?: Buffer | string
}

const pick = <T>({ random }: Draw, items: readonly T[]): T => items[random.between(0, items.length - 1)] as T

const PUSH = `/v1/apps/${APP}/push`

const PATHS = [
  SEND,
  `${SEND}:batch`,
  `${SEND}/m-4fZ`,
  `/v1/apps/${APP}/dead-letters`,
  `/v1/apps/${APP}/dead-letters/d-4fZ`,
  `/v1/apps/${APP}/dead-letters/d-4fZ:replay`,
  PUSH,
  '/cgi-bin/message/custom/send',
  '/cgi-bin/token',
  '/cgi-bin/stable_token',
  '/dashboard',
  '/dashboard/api/queues',
  `/dashboard/api/queues/${APP}-dead-letter/retry/failed`,
  `/dashboard/api/queues/${APP}-dead-letter/d-4fZ/retry`,
  '/dead-letters',
  '/dead-letters/letters/d-4fZ',
  '/dead-letters/preflight',
  '/dead-letters/tasks',
  '/dead-letters/tasks/r-4fZ/cancel',
  '/assets/page.css',
  '/metrics',
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/docs',
  '/',
]
/** Those that answer nobody without a key, a token or a password. */
const GUARDED = PATHS.filter((path) => /^\/(?:v1|cgi-bin|dashboard|dead-letters|metrics)\b/.test(path))
const WRITABLE = PATHS.filter((path) => /^\/(?:v1|cgi-bin|dashboard\/|dead-letters\/)/.test(path))
const DASHBOARD = PATHS.filter((path) => /^\/(?:dashboard|dead-letters)/.test(path))
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
const json = { 'content-type': 'application/json' }
const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` })

function write({ method = 'GET', path = '/', headers = {}, body = '' }: Message): Buffer[] {
  const bytes = Buffer.from(body)
  const length: Headers = bytes.length === 0 && method === 'GET' ? {} : { 'content-length': String(bytes.length) }
  const all = { host: '127.0.0.1', connection: 'close', ...length, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return [Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes])]
}

function randomBytes({ random }: Draw, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.between(0, most) }, () => random.between(0, 255)))
}

const good = { touser: 'oABCD1234567890', msgtype: 'text', text: { content: MARK } }
const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  'x'.repeat(40_000),
  '\u0000',
  '\ud800',
  [],
  [[[[]]]],
  {},
  { toString: 1 },
  { $ne: null },
]

/** JSON that parses and is not what was asked for, and JSON that does not parse. */
function oddBody(draw: Draw): Buffer {
  const { random } = draw
  const text = JSON.stringify(good)
  switch (random.between(0, 9)) {
    case 0:
      return randomBytes(draw, 2000)
    case 1:
      return Buffer.from(text.slice(0, random.between(0, text.length - 1)))
    case 2:
      return Buffer.from(`${'['.repeat(random.between(1, 20_000))}`)
    case 3:
      return Buffer.from(`${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`)
    case 4:
      return Buffer.from(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`)
    case 5:
      return Buffer.alloc(random.between(65_537, 200_000), 0x20)
    case 6:
      return Buffer.from(JSON.stringify({ messages: Array.from({ length: random.between(0, 1100) }, () => null) }))
    case 7:
      return Buffer.from(JSON.stringify(pick(draw, ODD)))
    case 8: {
      const flipped = Buffer.from(text)
      flipped[random.between(0, flipped.length - 1)] = random.between(0, 255)
      return flipped
    }
    default:
      return Buffer.from(
        JSON.stringify({
          ...good,
          [pick(draw, ['touser', 'msgtype', 'text', 'sendAt', 'metadata', 'x'])]: pick(draw, ODD),
        }),
      )
  }
}

const SECRET_GUESSES = ['', 'undefined', 'null', '../..', MARK, 'x'.repeat(3000), '0'.repeat(43)]

/** Linux takes the whole of 127/8 as its own. */
const UNBLEMISHED = process.platform === 'linux' ? '127.0.0.2' : undefined

type Kind = (draw: Draw) => Omit<Abuse, 'what'>

/** Each way to be a nuisance, by what it is. */
const KINDS: Readonly<Record<string, Kind>> = {
  'a fuzzed body': (draw) => {
    const path = pick(draw, PATHS)
    const type = pick(draw, [
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'application/xml',
      MARK,
    ])
    const headers = { 'content-type': type, ...bearer(draw.keys.all) }
    return { bytes: write({ method: pick(draw, METHODS), path, headers, body: oddBody(draw) }), mustFail: false }
  },
  'a fuzzed body as JSON': (draw) => {
    const path = pick(draw, [SEND, `${SEND}:batch`, '/cgi-bin/stable_token'])
    const idempotencyKey = pick(draw, SECRET_GUESSES).replaceAll(/\W/g, '')
    const headers = { ...json, ...bearer(draw.keys.all), 'idempotency-key': idempotencyKey }
    return { bytes: write({ method: 'POST', path, headers, body: oddBody(draw) }), mustFail: false }
  },
  'huge headers': (draw) => {
    const many = Object.fromEntries(
      Array.from({ length: draw.random.between(10, 3000) }, (_, n) => [`x-${n}`, 'y'.repeat(20)]),
    )
    const one = { 'x-big': 'y'.repeat(draw.random.between(10_000, 100_000)) }
    return { bytes: write({ path: pick(draw, PATHS), headers: pick(draw, [many, one]) }), mustFail: false }
  },
  'a path written differently': (draw) => {
    const path = pick(draw, TRICKS)(pick(draw, GUARDED))
    return { bytes: write({ method: pick(draw, ['GET', 'POST', 'PUT']), path }), mustFail: true }
  },
  'a forged key': (draw) => {
    const guess = pick(draw, [
      ...SECRET_GUESSES,
      draw.keys.all.slice(0, -1),
      `${draw.keys.all}x`,
      draw.keys.all.toUpperCase(),
    ])
    const scheme = pick(draw, ['Bearer', 'Basic', 'Token', ''])
    const headers = { ...json, authorization: `${scheme} ${guess}` }
    return { bytes: write({ method: 'POST', path: SEND, headers, body: JSON.stringify(good) }), mustFail: true }
  },
  'a key of another app, or without the right': (draw) => {
    const headers = { ...json, ...bearer(pick(draw, [draw.keys.other, draw.keys.reader])) }
    return { bytes: write({ method: 'POST', path: SEND, headers, body: JSON.stringify(good) }), mustFail: true }
  },
  'a forged access token': (draw) => {
    const token = encodeURIComponent(pick(draw, SECRET_GUESSES))
    const path = `/cgi-bin/message/custom/send?access_token=${token}`
    return { bytes: write({ method: 'POST', path, headers: json, body: JSON.stringify(good) }), mustFail: true }
  },
  'an access token that has ended, was revoked or is another app’s': (draw) => {
    const { expiredToken, revokedToken, movedToken } = draw.keys
    const token = pick(draw, [expiredToken, revokedToken, movedToken])
    const path = `/cgi-bin/message/custom/send?access_token=${token}`
    return { bytes: write({ method: 'POST', path, headers: json, body: JSON.stringify(good) }), mustFail: true }
  },
  'a secret that is a key of another app, or without the right': (draw) => {
    const secret = pick(draw, [draw.keys.other, draw.keys.reader])
    const grant = { grant_type: 'client_credential', appid: APP, secret }
    const asked = pick(draw, [
      { path: `/cgi-bin/token?${new URLSearchParams(grant).toString()}` },
      { method: 'POST', path: '/cgi-bin/stable_token', headers: json, body: JSON.stringify(grant) },
    ])
    return { bytes: write(asked), mustFail: true }
  },
  'a forged secret': (draw) => {
    const secret = encodeURIComponent(pick(draw, SECRET_GUESSES))
    const path = `/cgi-bin/token?grant_type=client_credential&appid=${pick(draw, [APP, MARK])}&secret=${secret}`
    return { bytes: write({ path }), mustFail: true }
  },
  'a push that WeChat has not signed, or long ago': (draw) => {
    const now = Math.floor(Date.now() / 1000)
    const token = pick(draw, [...SECRET_GUESSES, draw.keys.pushToken])
    const timestamp = String(token === draw.keys.pushToken ? now - draw.random.between(400, 90_000) : now)
    const signature = createHash('sha1').update([token, timestamp, '1'].toSorted().join('')).digest('hex')
    const query = new URLSearchParams({ signature, timestamp, nonce: '1', echostr: MARK }).toString()
    const method = pick(draw, ['GET', 'POST'])
    return {
      bytes: write({ method, path: `${PUSH}?${query}`, body: method === 'GET' ? '' : oddBody(draw) }),
      mustFail: true,
    }
  },
  'a form of another site': (draw) => {
    const site: Headers = pick(draw, [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      { host: 'evil.example' },
      { host: `127.0.0.1.evil.example` },
    ])
    const path = pick(draw, WRITABLE)
    const type = pick(draw, [
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain',
      'application/json',
    ])
    // As a browser would, with what it remembers.
    const headers = {
      'content-type': type,
      ...site,
      authorization: pick(draw, [`Basic ${draw.keys.basic}`, `Bearer ${draw.keys.all}`]),
    }
    const bytes = write({ method: pick(draw, ['POST', 'PUT']), path, headers, body: 'a=b' })
    return { bytes, mustFail: true, from: UNBLEMISHED }
  },
  'a guess at the dashboard': (draw) => {
    const credentials = Buffer.from(`${pick(draw, ['operator', 'admin', ''])}:${pick(draw, SECRET_GUESSES)}`).toString(
      'base64',
    )
    const path = pick(draw, DASHBOARD)
    return { bytes: write({ path, headers: { authorization: `Basic ${credentials}` } }), mustFail: true }
  },
  'no HTTP': (draw) => ({ bytes: [Buffer.from(pick(draw, BROKEN), 'latin1')], mustFail: true, hangsUp: true }),
  bytes: (draw) => ({ bytes: [randomBytes(draw, 3000), Buffer.from('\r\n\r\n')], mustFail: true, hangsUp: true }),
  'a connection that ends in the middle': (draw) => {
    const [bytes = Buffer.alloc(0)] = write({
      method: 'POST',
      path: SEND,
      headers: { ...json, ...bearer(draw.keys.all) },
      body: JSON.stringify(good),
    })
    return { bytes: [bytes.subarray(0, draw.random.between(1, bytes.length - 1))], mustFail: true, hangsUp: true }
  },
}

export function drawAbuse(random: Random, keys: Keys): Abuse {
  const draw = { random, keys }
  const [what, kind] = pick(draw, Object.entries(KINDS))
  return { what, ...kind(draw) }
}
