// What every proxy here needs: a listener on the loopback, and two sockets that share one end. A connection that breaks on
// one side must break on the other, too, or a fault would show a picture that no network gives.
import { once } from 'node:events'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'

export const LOOPBACK = '127.0.0.1'

export type SocketPair = { client: Socket; server: Socket }
export type Target = { host?: string | undefined; port: number }

/** Connects a client to the target. An error on one side resets the other; `onClosed` comes when either has closed. */
export const pairWith = (client: Socket, target: Target, onClosed: () => void): SocketPair => {
  const server = connect({ port: target.port, host: target.host ?? LOOPBACK, allowHalfOpen: true })
  for (const [socket, other] of [
    [client, server],
    [server, client],
  ] as const) {
    socket.setNoDelay(true)
    // An error on one side is shown to the other as a reset, since that is what a broken connection looks like.
    socket.on('error', () => reset(other))
    socket.on('close', () => {
      onClosed()
      if (!other.destroyed) other.destroySoon()
    })
  }
  return { client, server }
}

export const reset = (socket: Socket): void => {
  // A connection that is still being made cannot be reset, only dropped.
  if (socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}

export const resetPair = ({ client, server }: SocketPair): void => {
  reset(client)
  reset(server)
}

/** Listens on a port of the loopback (0: a free one) and resolves with the port. */
export const listen = async (server: Server, port: number): Promise<number> => {
  server.listen(port, LOOPBACK)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
