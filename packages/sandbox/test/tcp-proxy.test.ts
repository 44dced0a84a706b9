import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { freeLoopbackPort, startTcpProxy, type TcpProxy } from '../src/index.ts'

let target: Server
let received = ''
let proxy: TcpProxy
let clients: Socket[] = []

/** A connected client with what it has read so far and how it ended. */
const dial = async (port = proxy.port) => {
  const socket = connect({ port, host: '127.0.0.1' })
  clients.push(socket)
  const seen = { text: '', error: '' }
  socket.setEncoding('utf8')
  socket.on('data', (chunk) => {
    seen.text += String(chunk)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? ''
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve))
  await Promise.race([connected, closed])
  return { socket, seen, closed }
}
const hears = (seen: { text: string }, text: string) => vi.waitFor(() => expect(seen.text).toBe(text), 20_000)

beforeEach(async () => {
  received = ''
  target = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      received += String(chunk)
      socket.write(`<${String(chunk)}>`)
    })
  })
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  proxy = await startTcpProxy({ targetPort: (target.address() as AddressInfo).port })
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  clients = []
  await proxy.close()
  if (target.listening) target.close()
})

it('passes bytes on both ways and the end of a connection too', async () => {
  const { socket, seen, closed } = await dial()
  socket.write('one')
  await hears(seen, '<one>')
  expect(proxy.connections()).toBe(1)
  expect(proxy.url('redis')).toBe(`redis://127.0.0.1:${proxy.port}`)
  socket.end()
  await closed
  await vi.waitFor(() => expect(proxy.connections()).toBe(0), 20_000)
  expect(seen.error).toBe('')
})

it('passes on more than fits into the buffers', async () => {
  const { socket, seen } = await dial()
  const much = 'x'.repeat(5 * 1024 * 1024)
  socket.write(much)
  await vi.waitFor(() => expect(received.length).toBe(much.length), { timeout: 10_000 })
  await vi.waitFor(() => expect(seen.text.length).toBeGreaterThanOrEqual(much.length), { timeout: 10_000 })
})

it('resets what is open and takes new connections', async () => {
  const { socket, seen, closed } = await dial()
  socket.write('one')
  await hears(seen, '<one>')
  proxy.resetAll()
  await closed
  expect(seen.error).toBe('ECONNRESET')
  const again = await dial()
  again.socket.write('two')
  await hears(again.seen, '<two>')
})

it('holds everything back while it stalls, for old and new connections, and then goes on', async () => {
  const old = await dial()
  old.socket.write('a')
  await hears(old.seen, '<a>')
  proxy.stall(true)
  old.socket.write('b')
  const fresh = await dial()
  fresh.socket.write('c')
  await vi.waitFor(() => expect(proxy.connections()).toBe(2), 20_000)
  // A second way to the same server shows that it would have answered by now.
  const direct = await dial((target.address() as AddressInfo).port)
  direct.socket.write('d')
  await hears(direct.seen, '<d>')
  expect(received).toBe('ad')
  proxy.stall(false)
  await hears(old.seen, '<a><b>')
  await hears(fresh.seen, '<c>')
})

it('lets new connections hang while the old ones go on, and then lets them go on too', async () => {
  const old = await dial()
  proxy.stallNew(true)
  const fresh = await dial()
  fresh.socket.write('new')
  await vi.waitFor(() => expect(proxy.connections()).toBe(2), 20_000)
  old.socket.write('old')
  await hears(old.seen, '<old>')
  expect(received).toBe('old')
  proxy.stallNew(false)
  await hears(fresh.seen, '<new>')
})

it('lets the old connections hang while new ones go on', async () => {
  const old = await dial()
  old.socket.write('a')
  await hears(old.seen, '<a>')
  proxy.stallOpen()
  old.socket.write('b')
  const fresh = await dial()
  fresh.socket.write('new')
  await hears(fresh.seen, '<new>')
  expect(received).toBe('anew')
})

it('loses replies while requests still arrive', async () => {
  const { socket, seen } = await dial()
  proxy.cutReplies(true)
  socket.write('lost')
  await vi.waitFor(() => expect(received).toBe('lost'), 20_000)
  proxy.resetAll()
  proxy.cutReplies(false)
  await vi.waitFor(() => expect(socket.destroyed).toBe(true), 20_000)
  expect(seen.text).toBe('')
  const again = await dial()
  again.socket.write('heard')
  await hears(again.seen, '<heard>')
})

it('breaks a connection after so many bytes, which arrive, and no other', async () => {
  const { socket, seen, closed } = await dial()
  proxy.breakAfter(5)
  socket.write('one')
  await hears(seen, '<one>')
  socket.write('two')
  await closed
  expect(seen.error).toBe('ECONNRESET')
  await vi.waitFor(() => expect(received).toBe('onetw'), 20_000)
  const again = await dial()
  again.socket.write('three')
  await hears(again.seen, '<three>')
})

it('refuses new connections, keeps old ones, and listens on the same port again', async () => {
  const old = await dial()
  old.socket.write('a')
  await hears(old.seen, '<a>')
  await proxy.refuse(true)
  expect((await dial()).seen.error).toBe('ECONNREFUSED')
  old.socket.write('b')
  await hears(old.seen, '<a><b>')
  await proxy.refuse(false)
  const again = await dial()
  again.socket.write('c')
  await hears(again.seen, '<c>')
})

it('resets connections when nobody listens behind it', async () => {
  const lonely = await startTcpProxy({ targetPort: await freeLoopbackPort() })
  const { seen, closed } = await dial(lonely.port)
  await closed
  expect(seen.error).toBe('ECONNRESET')
  await lonely.close()
})
