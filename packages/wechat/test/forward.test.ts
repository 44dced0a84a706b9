// A push that is handed on and not answered in time says so, whichever timer has ended it.
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createForwarder } from '../src/index.ts'

/** Takes connections and says nothing, TLS's greeting included. */
let silent: Server
const sockets = new Set<Socket>()
beforeEach(async () => {
  silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
})

it.each([
  ['the connection', 'https', 30_000, 'timeout while connecting'],
  ['the answer', 'http', 200, 'timeout'],
])('is late where %s takes too long', async (_what, scheme, timeoutMs, detail) => {
  const { port } = silent.address() as { port: number }
  const forwarder = createForwarder({ connections: 1, answerBytesMax: 1000, timeoutMs })
  const call = { url: `${scheme}://127.0.0.1:${port}/`, query: '', contentType: undefined, body: Buffer.from('push') }
  expect(await forwarder.forward({ ...call, timeoutMs })).toEqual({ kind: 'broken', isLate: true, detail })
  await forwarder.close()
})
