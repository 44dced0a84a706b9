// What a server that means harm may do with a call: each of these ends in time, takes no memory, and reaches nobody else.
import type { LookupAddress } from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createPublicClient, type PublicRequest } from '../src/index.ts'
import { forwardProxy } from './support/forward-proxy.ts'
import { answer, type RawBehaviour, rawServer } from './support/raw-server.ts'

type Options = Partial<Parameters<typeof createPublicClient>[0]>

const BYTES_MAX = 1000
const LOCAL = { address: '127.0.0.1', family: 4 }
const lookupIn =
  (addresses: readonly LookupAddress[]): LookupFunction =>
  (_host, options, callback) =>
    options.all ? callback(null, [...addresses]) : callback(null, addresses[0]?.address ?? '', 4)

function open(options: Options = {}) {
  const client = createPublicClient({
    allowedHosts: ['pictures.test'],
    connections: 4,
    lookup: lookupIn([LOCAL]),
    ...options,
  })
  onTestFinished(() => client.close())
  return (url: string, more: Partial<PublicRequest> = {}) =>
    client.request({ url, method: 'GET', timeoutMs: 5000, bytesMax: BYTES_MAX, redirectsMax: 3, ...more })
}

/** Says `head`, and then `more` for ever. */
const endless = (head: string, more: string | Buffer): RawBehaviour => ({
  onRequest: (socket: Socket) => {
    socket.write(head, 'latin1')
    const write = (): void => {
      while (!socket.destroyed && socket.write(more));
    }
    socket.on('drain', write)
    write()
  },
})
const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`
const PART = 'a'.repeat(4096)
const tooLarge = { kind: 'too-large' }
const broken = { kind: 'broken' }

describe('an answer whose body is of no interest', () => {
  const ignoring = { method: 'POST', body: '{}', redirectsMax: 0, ignoresBody: true, timeoutMs: 60_000 } as const
  it.each([
    ['never ends', endless(`${OK}content-length: 9000000000000000\r\n\r\n`, PART)],
    ['does not come', { onRequest: (socket: Socket) => void socket.write(`${OK}content-length: 10\r\n\r\n`) }],
    ['breaks off', { onRequest: (socket: Socket) => void socket.end(`${OK}content-length: 10\r\n\r\nabc`) }],
  ])('is there with its head, when the body %s', async (_, behaviour) => {
    const server = await rawServer(behaviour)
    expect(await open()(server.url.replace('127.0.0.1', 'pictures.test'), ignoring)).toMatchObject({
      kind: 'answered',
      status: 200,
    })
  })
})

describe('an answer that never ends', () => {
  it.each([
    ['headers', OK, `x-a: ${'b'.repeat(500)}\r\n`, broken],
    ['a header', `${OK}x-a: `, PART, broken],
    ['answers before the answer', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early\r\n\r\n', broken],
    ['another protocol', 'HTTP/1.1 101 No\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', PART, broken],
    ['chunks of one byte', CHUNKED, '1\r\nx\r\n'.repeat(100), tooLarge],
    ['a chunk of all there is', `${CHUNKED}fffffffffffffff\r\n`, PART, tooLarge],
    ['fields behind the last chunk', `${CHUNKED}1\r\nx\r\n0\r\n`, 'x-t: 1\r\n', broken],
    ['a body whose length is a lie', `${OK}content-length: 9000000000000000\r\n\r\n`, PART, tooLarge],
    ['a body without a length', 'HTTP/1.0 200 OK\r\n\r\n', PART, tooLarge],
    [
      'bytes behind the body',
      `${OK}content-length: 3\r\n\r\nabc`,
      PART,
      { kind: 'answered', body: Buffer.from('abc') },
    ],
    ['bytes behind an empty answer', 'HTTP/1.1 204 No\r\n\r\n', PART, { kind: 'answered', status: 204 }],
  ])('ends: %s', async (_, head, more, expected) => {
    const server = await rawServer(endless(head, more))
    expect(await open()(`http://pictures.test:${server.port}/`)).toMatchObject(expected)
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })

  it.each([
    ['what stands beside a chunk', `${CHUNKED}1;`],
    ['the words beside the status', 'HTTP/1.1 200 '],
  ])('ends when its time is over: %s', async (_, head) => {
    const server = await rawServer(endless(head, PART))
    const answered = await open()(`http://pictures.test:${server.port}/`, { timeoutMs: 200 })
    expect(answered).toEqual({ kind: 'broken', detail: 'timeout' })
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })
})

describe('an answer that is not HTTP', () => {
  it.each([
    ['two lengths', `${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
    ['a length and chunks', `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
    ['a length below zero', `${OK}content-length: -5\r\n\r\nhello`],
    ['a length in hex', `${OK}content-length: 0x5\r\n\r\nhello`],
    ['a chunk below zero', `${CHUNKED}-1\r\nxx`],
    ['a chunk beyond all numbers', `${CHUNKED}ffffffffffffffffff\r\nxx`],
    ['a status below 100', 'HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n'],
    ['bytes alone', 'hello'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('is broken, and harms no later call: %s', async (_, text) => {
    let n = 0
    const server = await rawServer({ onRequest: (socket) => void socket.write(n++ === 0 ? text : answer('ok')) })
    const call = open()
    expect(await call(`http://pictures.test:${server.port}/`)).toMatchObject(broken)
    expect(await call(`http://pictures.test:${server.port}/`)).toMatchObject({ body: Buffer.from('ok') })
  })

  it('answers no call that comes after it', async () => {
    let n = 0
    const server = await rawServer({
      onRequest: (socket) => void socket.write(n++ === 0 ? answer('one') + answer('not asked for') : answer('two')),
    })
    const call = open()
    const other = await rawServer({ onRequest: (socket) => void socket.write(answer('other')) })
    expect(await call(`http://pictures.test:${server.port}/`)).toMatchObject({ body: Buffer.from('one') })
    expect(await call(`http://pictures.test:${other.port}/`)).toMatchObject({ body: Buffer.from('other') })
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })
})

describe('a packed body', () => {
  const zeros = Buffer.alloc(100_000)
  it.each([
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
    ['br, deflate, gzip', gzipSync(deflateSync(brotliCompressSync(zeros)))],
    ['none, such', gzipSync(zeros)],
  ])('stays packed: %s', async (encoding, bytes) => {
    const packed = bytes.subarray(0, BYTES_MAX)
    const head = `${OK}content-encoding: ${encoding}\r\ncontent-length: ${packed.length}\r\n\r\n`
    const server = await rawServer({
      onRequest: (socket) => void socket.write(Buffer.concat([Buffer.from(head), packed])),
    })
    const answered = await open()(`http://pictures.test:${server.port}/`)
    expect(answered).toMatchObject({ kind: 'answered', body: packed })
  })
})

describe('a redirect', () => {
  it.each([
    ['//127.1/', 'not a public address'],
    [String.raw`\\127.1\ `, 'not a public address'],
    ['http://2130706433/', 'not a public address'],
    ['http://[::ffff:7f00:1]/', 'not a public address'],
    ['http://a:b@127.0.0.1/', 'not a public address'],
    ['http://pictures.test@127.0.0.1/', 'not a public address'],
    ['http://inside.test/', 'the host has no public address'],
    ['javascript:alert(1)', 'neither http nor https'],
    ['gopher://127.0.0.1:6379/_PING', 'neither http nor https'],
    ['ftp://127.0.0.1/', 'neither http nor https'],
    ['http://pictures.test:99999/', 'a redirect to no URL'],
  ])('to %s is refused', async (location, detail) => {
    const server = await rawServer({
      onRequest: (socket) => void socket.write(answer('', '302 Found', [`location: ${location}`])),
    })
    expect(await open()(`http://pictures.test:${server.port}/`)).toEqual({ kind: 'refused', detail })
  })

  it('that names two URLs leads to neither of them inside', async () => {
    const inside = await rawServer({ onRequest: (socket) => void socket.write(answer('secret')) })
    const locations = [`location: http://127.0.0.1:${inside.port}/`, 'location: /next']
    const server = await rawServer({
      onRequest: (socket) => void socket.write(answer('', '302 Found', locations)),
    })
    expect(await open()(`http://pictures.test:${server.port}/`)).toMatchObject({ kind: 'refused' })
    expect(inside.accepted).toBe(0)
  })
})

describe('a name', () => {
  it('with addresses inside and outside leads outside alone', async () => {
    const inside = await rawServer({ onRequest: (socket) => void socket.write(answer('secret')) })
    const lookup = lookupIn([LOCAL, { address: '::1', family: 6 }, { address: '1.1.1.1', family: 4 }])
    // Nothing listens there. What counts is that nobody inside is called.
    const answered = await open({ lookup })(`http://both.test:${inside.port}/`, { timeoutMs: 500 })
    expect(answered).toMatchObject(broken)
    expect(inside.accepted).toBe(0)
  })

  it('that is never found costs no more than the time of the call', async () => {
    const started = performance.now()
    const answered = await open({ lookup: () => {} })('http://never.test/', { timeoutMs: 200 })
    expect(answered).toEqual({ kind: 'broken', detail: 'timeout' })
    // The limit on connecting alone is 3 seconds.
    expect(performance.now() - started).toBeLessThan(2500)
  })

  it('that goes past the proxy is looked at', async () => {
    const inside = await rawServer({ onRequest: (socket) => void socket.write(answer('secret')) })
    const proxy = await forwardProxy()
    const refused = { kind: 'refused', detail: 'the host has no public address' }
    for (const settings of [
      { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: 'inside.test' },
      { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: '*' },
      { httpsProxy: proxy.url },
    ])
      expect(await open({ proxy: settings })(`http://inside.test:${inside.port}/`)).toEqual(refused)
    expect(proxy.asked).toEqual([])
    expect(inside.accepted).toBe(0)
  })

  it('is found by the proxy, whose own name may be private', async () => {
    const server = await rawServer({ onRequest: (socket) => void socket.write(answer('ok')) })
    const proxy = await forwardProxy()
    const url = proxy.url.replace('127.0.0.1', 'localhost')
    const call = open({ proxy: { httpProxy: url, httpsProxy: url } })
    expect(await call(`http://localhost:${server.port}/`)).toMatchObject({ body: Buffer.from('ok') })
    expect(proxy.asked).toHaveLength(1)
  })
})
