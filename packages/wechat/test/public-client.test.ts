import type { LookupFunction } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createPublicClient, type PublicRequest } from '../src/index.ts'
import { nextUrl } from '../src/public-client.ts'
import { forwardProxy } from './support/forward-proxy.ts'
import { answer, type RawBehaviour, rawServer } from './support/raw-server.ts'

type Options = Partial<Parameters<typeof createPublicClient>[0]>

/** Names that end in `.test` are this machine, as a name server of an attacker's may say. */
const lookup: LookupFunction = (_host, options, callback) =>
  options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)

function open(options: Options = {}) {
  const client = createPublicClient({ allowedHosts: ['pictures.test'], connections: 4, lookup, ...options })
  onTestFinished(() => client.close())
  return (url: string, more: Partial<PublicRequest> = {}) =>
    client.request({ url, method: 'GET', timeoutMs: 5000, bytesMax: 1000, redirectsMax: 3, ...more })
}
const serverSaying = (text: string, more: RawBehaviour = {}) =>
  rawServer({ onRequest: (socket) => void socket.write(text), ...more })

describe('a call', () => {
  it('brings status, headers and body, and asks for no compression', async () => {
    const server = await serverSaying(answer('bytes', '200 OK', ['Content-Type: image/png', 'Retry-After: 7']))
    expect(await open()(`http://pictures.test:${server.port}/a%20b.png?x=1`)).toEqual({
      kind: 'answered',
      status: 200,
      headers: { 'content-length': '5', 'content-type': 'image/png', 'retry-after': '7' },
      body: Buffer.from('bytes'),
    })
    expect(server.requests[0]).toMatch(/^GET \/a%20b\.png\?x=1 HTTP\/1\.1\r\n[\s\S]*accept-encoding: identity\r\n/)
  })

  it('carries a body and headers', async () => {
    const server = await serverSaying(answer(''))
    const call = open()
    await call(`http://pictures.test:${server.port}/`, { method: 'POST', body: '{}', headers: { 'x-id': '1' } })
    expect(server.requests[0]).toMatch(/^POST \/ [\s\S]*x-id: 1\r\n[\s\S]*\r\n\r\n\{\}$/)
  })

  it('sends neither the user nor the password of its URL', async () => {
    const server = await serverSaying(answer(''))
    await open()(`http://user:word@pictures.test:${server.port}/`)
    expect(server.requests[0]).not.toMatch(/authorization|word/i)
  })
})

describe('an address inside', () => {
  it.each([
    'http://127.0.0.1',
    'http://127.1',
    'http://2130706433',
    'http://0x7f000001',
    'http://0x7f.0.0.1',
    'http://0177.0.0.1',
    'http://017700000001',
    'http://127.0.0.1.',
    'http://①②⑦.0.0.1',
    'http://127。0。0。1',
    'http://%31%32%37.0.0.1',
    'http://0',
    'http://[::1]',
    'http://[::]',
    'http://[::ffff:127.0.0.1]',
    'http://[::ffff:7f00:1]',
    'http://[64:ff9b::7f00:1]',
    'http://169.254.169.254',
    'http://[fd00:ec2::254]',
    'http://user@127.0.0.1',
  ])('is not called as %s', async (host) => {
    const server = await serverSaying(answer('secret'))
    const detail = 'not a public address'
    expect(await open()(`${host}:${server.port}/latest/meta-data`)).toEqual({ kind: 'refused', detail })
    expect(server.accepted).toBe(0)
  })

  it.each(['inside.test', 'localhost', 'LOCALHOST', 'inside.test.'])('is not called by the name %s', async (host) => {
    const server = await serverSaying(answer('secret'))
    const detail = 'the host has no public address'
    expect(await open()(`http://${host}:${server.port}/`)).toEqual({ kind: 'refused', detail })
    expect(server.accepted).toBe(0)
  })

  it('is not called when the name server has changed its answer since', async () => {
    const server = await serverSaying(answer('secret'))
    const answers = vi.fn(lookup)
    const call = open({ lookup: answers })
    for (let n = 1; n <= 3; n += 1) {
      expect(await call(`http://inside.test:${server.port}/`)).toMatchObject({ kind: 'refused' })
      // What was looked at is what would have been connected to.
      expect(answers).toHaveBeenCalledTimes(n)
    }
    expect(server.accepted).toBe(0)
  })

  it('is called where it is allowed, as a name or as a literal', async () => {
    const server = await serverSaying(answer('ok'))
    const call = open({ allowedHosts: ['Inside.test', '127.0.0.1'] })
    expect(await call(`http://inside.TEST:${server.port}/`)).toMatchObject({ kind: 'answered' })
    expect(await call(`http://2130706433:${server.port}/`)).toMatchObject({ kind: 'answered' })
  })
})

describe('a redirect', () => {
  it('is followed to another URL, relative or not', async () => {
    const end = await serverSaying(answer('end'))
    let n = 0
    const start = await rawServer({
      onRequest: (socket) => {
        const to = n++ === 0 ? '/next?x=1' : `http://pictures.test:${end.port}/end`
        socket.write(answer('', '302 Found', [`location: ${to}`]))
      },
    })
    const answered = await open()(`http://pictures.test:${start.port}/start`)
    expect(answered).toMatchObject({ kind: 'answered', status: 200, body: Buffer.from('end') })
    expect(start.requests.map((request) => request.split(' ')[1])).toEqual(['/start', '/next?x=1'])
  })

  it.each([
    ['a literal inside', 'http://127.0.0.1:PORT/', 'not a public address'],
    ['a name inside', 'http://inside.test:PORT/', 'the host has no public address'],
    ['another scheme', 'file:///etc/passwd', 'neither http nor https'],
    ['no URL', 'http://[', 'a redirect to no URL'],
    ['itself', '/', 'more than 3 redirects'],
  ])('to %s is refused', async (_, to, detail) => {
    const inside = await serverSaying(answer('secret'))
    const location = `location: ${to.replace('PORT', String(inside.port))}`
    const start = await serverSaying(answer('', '302 Found', [location]))
    expect(await open()(`http://pictures.test:${start.port}/`)).toEqual({ kind: 'refused', detail })
    expect(inside.accepted).toBe(0)
  })

  it('from https to http is refused, in whatever case the scheme is written', () => {
    const problem = 'a redirect from https to http'
    expect(nextUrl('HTTPS://a.test/', 'http://a.test/')).toEqual({ problem })
    expect(nextUrl('https://a.test/b', '//c.test/d')).toEqual({ url: 'https://c.test/d' })
    expect(nextUrl('http://a.test/b', 'https://c.test/d')).toEqual({ url: 'https://c.test/d' })
  })

  it('is an answer where none is followed', async () => {
    const start = await serverSaying(answer('', '302 Found', ['location: /']))
    const answered = await open()(`http://pictures.test:${start.port}/`, { redirectsMax: 0 })
    expect(answered).toMatchObject({ kind: 'answered', status: 302 })
  })
})

describe('the bounds', () => {
  const endless = (text: string): RawBehaviour => ({
    onRequest: (socket) => {
      socket.write(text)
      const timer = setInterval(() => socket.write('x'), 5)
      socket.on('close', () => clearInterval(timer))
    },
  })

  it.each([
    ['says that it is larger', 'HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n'],
    ['does not say how large it is', `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${'x'.repeat(1001)}`],
  ])('end a body that %s', async (_, text) => {
    const server = await rawServer(endless(text))
    expect(await open()(`http://pictures.test:${server.port}/`)).toEqual({
      kind: 'too-large',
      status: 200,
      detail: 'larger than 1000 bytes',
    })
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })

  it.each([
    ['HTTP/1.1 404 Not Found\r\ncontent-length: 1000000', 404],
    ['HTTP/1.1 503 Busy\r\nretry-after: 7\r\nconnection: close', 503],
    ['HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\nffffffff', 404],
    ['HTTP/1.1 302 Found\r\ncontent-length: 1000000', 302],
    ['HTTP/1.1 500 No\r\ncontent-length: 900', 500],
  ])('know an answer by its status, however long its body is: %s', async (head, status) => {
    const server = await rawServer(endless(`${head}\r\n\r\n`))
    const answered = await open()(`http://pictures.test:${server.port}/`)
    expect(answered).toMatchObject({ kind: 'answered', status, body: Buffer.alloc(0) })
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })

  it('follow a redirect whose body is long and never ends', async () => {
    const end = await serverSaying(answer('end'))
    const to = `location: http://pictures.test:${end.port}/`
    const server = await rawServer(endless(`HTTP/1.1 301 Moved\r\n${to}\r\ncontent-length: 1000000\r\n\r\n`))
    const answered = await open()(`http://pictures.test:${server.port}/`)
    expect(answered).toMatchObject({ kind: 'answered', status: 200, body: Buffer.from('end') })
    await vi.waitFor(() => expect(server.sockets.size).toBe(0), 20_000)
  })

  it('keep the connection where a short body has come with the status', async () => {
    const server = await serverSaying(answer('<html>', '503 Busy'))
    const call = open()
    for (let n = 0; n < 6; n += 1)
      expect(await call(`http://pictures.test:${server.port}/`)).toMatchObject({ status: 503 })
    // Undici opens a second one while it lets go of the first.
    expect(server.accepted).toBeLessThanOrEqual(2)
  })

  it.each([
    ['no answer', {}],
    ['an endless body', endless('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n')],
    [
      'endless redirects',
      { onRequest: (socket) => void setTimeout(() => socket.write(answer('', '302 Found', ['location: /'])), 5) },
    ],
  ] satisfies [string, RawBehaviour][])('end %s', async (_, behaviour) => {
    const server = await rawServer(behaviour)
    const answered = await open()(`http://pictures.test:${server.port}/`, { timeoutMs: 150, redirectsMax: 1000 })
    expect(answered).toEqual({ kind: 'broken', detail: 'timeout' })
  })

  it('unpack nothing', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000)).subarray(0, 900)
    const server = await rawServer({
      onRequest: (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`)
        socket.write(bomb)
      },
    })
    expect(await open()(`http://pictures.test:${server.port}/`)).toMatchObject({
      kind: 'answered',
      headers: { 'content-encoding': 'gzip' },
      body: bomb,
    })
  })

  it('let a caller go', async () => {
    const server = await rawServer({})
    const gone = new AbortController()
    const answered = open()(`http://pictures.test:${server.port}/`, { signal: gone.signal })
    await vi.waitFor(() => expect(server.requests).toHaveLength(1), 20_000)
    gone.abort()
    expect(await answered).toEqual({ kind: 'broken', detail: 'aborted' })
  })
})

describe('what goes wrong', () => {
  it.each([
    ['http://', 'not a URL'],
    ['ftp://pictures.test/', 'neither http nor https'],
    ['data:image/png;base64,AAAA', 'neither http nor https'],
  ])('%s is refused', async (url, detail) => {
    expect(await open()(url)).toEqual({ kind: 'refused', detail })
  })

  it('is said without a word of the URL', async () => {
    const server = await rawServer({ onRequest: (socket) => socket.resetAndDestroy() })
    const call = open({
      lookup: (host, options, callback) =>
        host === 'nowhere.test'
          ? callback(
              Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
              [],
            )
          : lookup(host, options, callback),
    })
    expect(await call(`http://pictures.test:${server.port}/key`)).toEqual({
      kind: 'broken',
      detail: 'ECONNRESET while waiting for headers',
    })
    expect(await call('http://nowhere.test/key')).toEqual({ kind: 'broken', detail: 'dns ENOTFOUND' })
    expect(await call('http://pictures.test:1/key')).toEqual({ kind: 'broken', detail: 'connect ECONNREFUSED' })
  })
})

describe('through a forward proxy', () => {
  it('names are the proxy’s to find, and literals are looked at all the same', async () => {
    const server = await serverSaying(answer('ok'))
    const proxy = await forwardProxy({ port: server.port })
    const call = open({ proxy: { httpProxy: proxy.url, httpsProxy: proxy.url } })
    expect(await call('http://127.0.0.1/')).toEqual({ kind: 'refused', detail: 'not a public address' })
    expect(proxy.asked).toEqual([])
    await call('http://elsewhere.test/a')
    expect(proxy.asked).toHaveLength(1)
  })
})
