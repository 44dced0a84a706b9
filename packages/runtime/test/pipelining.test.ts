// Requests sent ahead on one connection: all are answered in order, few are in progress at once, and too many end the connection. What was
// taken before something that is no HTTP is answered first.
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { afterAnswers, createHttpServer } from '../src/index.ts'

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`
const POST = (path: string, body: string, length = body.length): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${body}`

const ending: (() => void)[] = []
afterEach(() => {
  for (const end of ending.splice(0)) end()
})

async function serve(handle: RequestListener): Promise<number> {
  const refusal = { type: 'text/plain', body: 'too many' }
  const server = createHttpServer(handle, { requestMsMax: 15_000, refusal })
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) return void socket.destroy()
    ;(socket as Socket).pause()
    afterAnswers(socket as Socket, () => {
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
      ;(socket as Socket).resume()
    })
  })
  ending.push(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Client {
  readonly socket: Socket
  readonly text: () => string
  readonly closed: Promise<unknown>
}

function say(port: number, text: string): Client {
  const socket = connect(port, '127.0.0.1')
  ending.push(() => socket.destroy())
  let heard = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => (heard += chunk))
  socket.on('error', () => undefined)
  socket.write(text)
  return { socket, text: () => heard, closed: once(socket, 'close') }
}

/** Requests that are answered when the test says so. */
function holding(): {
  handle: RequestListener
  open: { path: string; response: ServerResponse }[]
  most: () => number
} {
  const open: { path: string; response: ServerResponse }[] = []
  let most = 0
  const handle: RequestListener = (request, response) => {
    open.push({ path: request.url ?? '', response })
    most = Math.max(most, open.length)
  }
  return { handle, open, most: () => most }
}

const answer = ({ path, response }: { path: string; response: ServerResponse }): void =>
  void response.end(`<answer to ${path}>`)
const answered = (text: string): string[] => [...text.matchAll(/<answer to ([^>]+)>/g)].map(([, path]) => path ?? '')
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status ?? '')

describe('requests sent ahead', () => {
  it('are answered in order, eight of them in progress at once', async () => {
    const { handle, open, most } = holding()
    const port = await serve(handle)
    const paths = Array.from({ length: 60 }, (_, index) => `/${index}`)
    const { text } = say(port, paths.map(GET).join(''))
    const left = new Set(paths)
    while (left.size > 0) {
      await vi.waitFor(() => expect(open.length).toBeGreaterThan(0), 20_000)
      // The latest first: the order of the answers is not the order in which they are ready.
      const one = open.pop()
      left.delete(one?.path ?? '')
      if (one !== undefined) answer(one)
      // Everything that comes of this answer has come.
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    await vi.waitFor(() => expect(answered(text())).toEqual(paths), 20_000)
    expect(most()).toBe(8)
  })

  it('are refused beyond what may wait, after the answers to those before, and the connection ends', async () => {
    const { handle, open, most } = holding()
    const port = await serve(handle)
    const { text, closed } = say(port, Array.from({ length: 150 }, (_, index) => GET(`/${index}`)).join(''))
    await vi.waitFor(() => expect(open.length).toBe(8), 20_000)
    let count = 0
    while (count < 72) {
      await vi.waitFor(() => expect(open.length).toBeGreaterThan(0), 20_000)
      for (const one of open.splice(0)) {
        answer(one)
        count += 1
      }
    }
    await closed
    expect(answered(text())).toEqual(Array.from({ length: 72 }, (_, index) => `/${index}`))
    expect(statuses(text()).slice(72)).toEqual(['429'])
    expect(text()).toMatch(/too many$/)
    expect(open).toEqual([])
    expect(most()).toBe(8)
  })

  it('are cut off when they are very many', async () => {
    const { handle, open } = holding()
    const port = await serve(handle)
    const { text, closed } = say(port, Array.from({ length: 2000 }, (_, index) => GET(`/${index}`)).join(''))
    await closed
    expect(text()).toBe('')
    expect(open.length).toBe(8)
  })

  it('that wait when their connection ends are never begun', async () => {
    const { handle, open } = holding()
    const port = await serve(handle)
    const { socket } = say(port, Array.from({ length: 20 }, (_, index) => GET(`/${index}`)).join(''))
    await vi.waitFor(() => expect(open.length).toBe(8), 20_000)
    const gone = Promise.all(open.map(({ response: { req } }) => new Promise((done) => req.on('error', done))))
    socket.destroy()
    await gone
    for (const one of open) answer(one)
    // Another connection's request comes after whatever would have been begun.
    say(port, GET('/other'))
    await vi.waitFor(() => expect(open.at(-1)?.path).toBe('/other'), 20_000)
    expect(open.length).toBe(9)
  })
})

describe('what is no HTTP', () => {
  const RUBBISH = 'rubbish\r\n\r\n\u0000\u0001'

  it('is refused after the answer to what stands before it', async () => {
    const { handle, open } = holding()
    const port = await serve(handle)
    const { text, closed } = say(port, POST('/stored', '{}') + GET('/looked-up') + RUBBISH)
    await vi.waitFor(() => expect(open.length).toBe(2), 20_000)
    for (const one of open) answer(one)
    await closed
    expect(answered(text())).toEqual(['/stored', '/looked-up'])
    expect(statuses(text())).toEqual(['200', '200', '400'])
  })

  it('is refused after the answers to all that waits', async () => {
    const { handle, open } = holding()
    const port = await serve(handle)
    const { text, closed } = say(port, Array.from({ length: 30 }, (_, index) => GET(`/${index}`)).join('') + RUBBISH)
    for (let count = 0; count < 30; count += 1) {
      await vi.waitFor(() => expect(open.length).toBeGreaterThan(0), 20_000)
      const one = open.shift()
      if (one !== undefined) answer(one)
    }
    await closed
    expect(statuses(text())).toEqual([...Array.from({ length: 30 }, () => '200'), '400'])
  })

  it('in the middle of a request is refused at once, and those before are answered', async () => {
    const { handle, open } = holding()
    const port = await serve((request, response) => {
      if (request.url === '/whole') handle(request, response)
      // Waits for a body that never comes whole.
      else request.on('end', () => answer({ path: 'never', response })).resume()
    })
    const chunked = 'POST /half HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel'
    const { text, closed } = say(port, `${POST('/whole', '{}')}${chunked}lozzz\r\n`)
    await vi.waitFor(() => expect(open.length).toBe(1), 20_000)
    for (const one of open) answer(one)
    await closed
    expect(statuses(text())).toEqual(['200', '400'])
    const alone = say(port, `${chunked}lozzz\r\n`)
    await alone.closed
    expect(statuses(alone.text())).toEqual(['400'])
  })

  it('in the middle of a request that waits for its turn is refused when those before are answered', async () => {
    const { handle, open } = holding()
    const port = await serve(handle)
    const half = 'POST /half HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhellozzz\r\n'
    const { text, closed } = say(port, Array.from({ length: 8 }, (_, index) => GET(`/${index}`)).join('') + half)
    await vi.waitFor(() => expect(open.length).toBe(8), 20_000)
    for (const one of open) answer(one)
    await closed
    expect(statuses(text())).toEqual([...Array.from({ length: 8 }, () => '200'), '400'])
    expect(open.map(({ path }) => path)).not.toContain('/half')
  })

  it('in the middle of a request whose answer has begun waits for the rest of that', async () => {
    const { handle, open } = holding()
    const port = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 20 }).write('begun')
      handle(request, response)
    })
    const head = 'POST /begun HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
    const { socket, text, closed } = say(port, head)
    await vi.waitFor(() => expect(text()).toContain('begun'), 20_000)
    socket.write('zzz\r\n')
    // The server has met it: only then it stops reading.
    await vi.waitFor(() => expect(open[0]?.response.socket?.isPaused()).toBe(true), 20_000)
    open[0]?.response.end(', and the rest.')
    await closed
    expect(text()).toMatch(/begun, and the rest\.HTTP\/1\.1 400 /)
  })

  it('on a connection whose earlier requests are answered is refused, too', async () => {
    const port = await serve((request, response) => answer({ path: request.url ?? '', response }))
    const { socket, text, closed } = say(port, GET('/first'))
    await vi.waitFor(() => expect(answered(text())).toEqual(['/first']), 20_000)
    socket.write(RUBBISH)
    await closed
    expect(statuses(text())).toEqual(['200', '400'])
  })
})
