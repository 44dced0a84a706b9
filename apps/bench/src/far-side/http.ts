/**
 * The least HTTP server that can answer small JSON requests, on plain sockets: it must cost so little that it is never what
 * a benchmark measures. It knows requests with a content length and nothing else of HTTP.
 */
import { createServer, type Server, type Socket } from 'node:net'

export interface Request {
  /** With the query. */
  readonly path: string
  readonly body: string
}

export type Answer = (json: string) => void

const END = '\r\n\r\n'
const NOTHING = Buffer.alloc(0)

export function createHttp(handle: (request: Request, answer: Answer) => void): Server {
  return createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = NOTHING
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let taken = takeRequest(rest); taken !== undefined; taken = takeRequest(rest)) {
        rest = taken.rest
        handle(taken.request, (json) => write(socket, json))
      }
    })
  })
}

function takeRequest(bytes: Buffer): { request: Request; rest: Buffer } | undefined {
  const headEnd = bytes.indexOf(END)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
  const end = headEnd + END.length + length
  if (bytes.length < end) return undefined
  const path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'))
  const body = bytes.toString('utf8', headEnd + END.length, end)
  return { request: { path, body }, rest: end === bytes.length ? NOTHING : bytes.subarray(end) }
}

function write(socket: Socket, json: string): void {
  if (!socket.writable) return
  const length = Buffer.byteLength(json)
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${json}`)
}
