// A server that cannot pick a port itself is given one that was free a moment ago. Somebody else may take it in
// between, so whoever uses this must be ready to ask again.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

export const freeLoopbackPort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
