/** A TCP server that speaks HTTP as badly as a test wants it to. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface RawServer {
  readonly url: string
  readonly port: number
  /** Every complete request, as it came over the wire. */
  readonly requests: string[]
  readonly sockets: Set<Socket>
  /** Connections accepted so far. */
  accepted: number
}

export interface RawBehaviour {
  readonly onConnection?: (socket: Socket) => void
  /** Called for every complete request. */
  readonly onRequest?: (socket: Socket, request: string) => void
}

/** Listens on a free loopback port and ends with the test. */
export async function rawServer({ onConnection, onRequest }: RawBehaviour): Promise<RawServer> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    raw.accepted += 1
    socket.on('close', () => sockets.delete(socket))
    // Clients break off in the middle in many of these tests: that is no fault of the server's.
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    readRequests(socket, (request) => {
      raw.requests.push(request)
      onRequest?.(socket, request)
    })
    onConnection?.(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const raw: RawServer = { url: `http://127.0.0.1:${port}`, port, requests: [], sockets, accepted: 0 }
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return raw
}

function readRequests(socket: Socket, onRequest: (request: string) => void): void {
  let buffered = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk])
    const headEnd = buffered.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = buffered.subarray(0, headEnd).toString('latin1')
    const length = Number(/^content-length: (\d+)$/imu.exec(head)?.[1] ?? 0)
    const end = headEnd + 4 + length
    if (buffered.length < end) return
    const request = buffered.subarray(0, end).toString('utf8')
    buffered = buffered.subarray(end)
    onRequest(request)
  })
}

/** A whole HTTP answer. */
export function answer(body: string, status = '200 OK', headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status}`, `content-length: ${Buffer.byteLength(body)}`, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export const OK = answer('{"errcode":0,"errmsg":"ok"}')
