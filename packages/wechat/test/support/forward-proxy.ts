/** A forward proxy, as companies have them: it opens tunnels, forwards plain requests, and may do neither. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface ForwardProxy {
  readonly url: string
  /** `CONNECT host:port`, or the method and the whole address without its query. */
  readonly asked: string[]
  /** Of plain requests and tunnels, the most at once. */
  most: number
}

export interface ProxyBehaviour {
  /** In place of a tunnel: an answer, or `hang` or `reset`. */
  readonly tunnel?: 'hang' | 'reset' | `${number}`
  /** What the proxy asks for. */
  readonly authorization?: string
  /** Where every tunnel ends, whatever name was asked for. */
  readonly port?: number
}

export async function forwardProxy({ tunnel, authorization, port }: ProxyBehaviour = {}): Promise<ForwardProxy> {
  const sockets = new Set<Socket>()
  let now = 0
  const began = (ended: { once(event: 'close', then: () => void): unknown }): void => {
    now += 1
    proxy.most = Math.max(proxy.most, now)
    ended.once('close', () => (now -= 1))
  }
  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    authorization === undefined || headers['proxy-authorization'] === authorization
  const server = createServer((asked: IncomingMessage, answer: ServerResponse) => {
    proxy.asked.push(`${asked.method} ${asked.url?.split('?')[0]}`)
    if (!isAllowed(asked)) return void answer.writeHead(407, { 'proxy-authenticate': 'Basic' }).end('<html>who?</html>')
    began(answer)
    const onwards = request(asked.url ?? '', { method: asked.method, headers: asked.headers }, (said) => {
      answer.writeHead(said.statusCode ?? 502, said.headers)
      said.pipe(answer)
    })
    onwards.on('error', () => answer.writeHead(502).end('<html>bad gateway</html>'))
    asked.pipe(onwards)
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.on('connect', (asked, client: Socket) => {
    proxy.asked.push(`CONNECT ${asked.url}`)
    client.on('error', () => undefined)
    if (tunnel === 'reset') return void client.resetAndDestroy()
    if (tunnel === 'hang') return
    if (tunnel !== undefined || !isAllowed(asked)) return void client.end(`HTTP/1.1 ${tunnel ?? 407} No\r\n\r\n`)
    const [host = '', asPort] = (asked.url ?? '').split(':')
    const far = connect(port ?? Number(asPort), port === undefined ? host : '127.0.0.1')
    far.on('error', () => client.destroy())
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    client.pipe(far).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: ForwardProxy = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: [], most: 0 }
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return proxy
}
