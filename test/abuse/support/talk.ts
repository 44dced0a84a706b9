// Raw bytes to a port and whatever comes back: no client that would tidy up a request or refuse to send it.
import { connect, type Socket } from 'node:net'
import type { Abuse } from './requests.ts'

export interface Talk {
  /** Undefined: the connection was closed without an answer. */
  readonly status: number | undefined
  readonly text: string
}

const PATIENCE_MS = 30_000

/** Says it all and listens until the connection is closed. */
export function talk(port: number, { bytes, from, hangsUp }: Omit<Abuse, 'what' | 'mustFail'>): Promise<Talk> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...(from === undefined ? {} : { localAddress: from }) })
    let text = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end after ${PATIENCE_MS} ms: ${text.slice(0, 200)}`))
    }, PATIENCE_MS)
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (text += chunk))
    // Whoever is refused in the middle of a sentence finds the connection reset.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      const [, status] = /^HTTP\/1\.[01] (\d{3}) /.exec(text) ?? []
      resolve({ status: status === undefined ? undefined : Number(status), text })
    })
    socket.on('connect', () => {
      for (const piece of bytes) socket.write(piece)
      if (hangsUp) socket.end()
    })
  })
}

/** Says some of it and then nothing more. Resolves when the other side has had enough. */
export function stall(port: number, bytes: Buffer): { readonly socket: Socket; readonly closed: Promise<void> } {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(bytes)
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve())) }
}
