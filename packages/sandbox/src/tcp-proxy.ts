// Networks fail in more ways than a mock has. This is a real TCP proxy between two real parts: it resets, goes
// silent, loses replies or refuses connections when a test says so, and otherwise passes bytes on unchanged.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { LOOPBACK, listen, pairWith, reset, resetPair, type SocketPair } from './socket-pair.ts'

export type TcpProxyOptions = {
  targetHost?: string
  targetPort: number
  /** Default 0: a free one. */
  port?: number
}

export type TcpProxy = {
  port: number
  /** The proxy's address with a scheme: `url('redis')` is `redis://127.0.0.1:PORT`. */
  url: (scheme: string) => string
  /** Resets every open connection, both ways. New ones are accepted. */
  resetAll: () => void
  /** On: nothing is passed on in either direction, connections stay open. Off: what waited goes on. */
  stall: (on: boolean) => void
  /** Nothing is passed on any more on the connections that are open now, and neither end learns of it. New ones go on. */
  stallOpen: () => void
  /** On: connections made from now on are accepted and hang; those that are open go on. Off: all go on. */
  stallNew: (on: boolean) => void
  /**
   * On: requests reach the server, its replies are lost. After switching off, a connection whose replies were lost
   * misses them for good: reset it (`resetAll`) unless that is what is being tested.
   */
  cutReplies: (on: boolean) => void
  /**
   * Lets so many more bytes go to the server and then breaks the connection that has more: the server reads what came
   * and the end of it, the client meets a reset. It happens once.
   */
  breakAfter: (bytes: number) => void
  /** On: new connections are refused (nobody listens). Open ones stay. Rejects if the port was taken meanwhile. */
  refuse: (on: boolean) => Promise<void>
  /** Connections that are made from now on go to another port of the target's host; those that are open stay where they are. */
  retarget: (port: number) => void
  /** How many clients are connected now. */
  connections: () => number
  close: () => Promise<void>
}

type Pair = SocketPair & { stalled: boolean }
type Switches = { newStalled: boolean; repliesCut: boolean; bytesLeft: number }

/** Passes bytes one way, no faster than the other side takes them. */
const pass = (from: Socket, to: Socket, rules: { pair: Pair; switches: Switches; isReply: boolean }): void => {
  const { pair, switches, isReply } = rules
  from.on('data', (chunk: Buffer) => {
    if (isReply && switches.repliesCut) return
    if (!isReply && chunk.length > switches.bytesLeft) {
      to.end(chunk.subarray(0, switches.bytesLeft))
      switches.bytesLeft = Infinity
      reset(from)
      return
    }
    if (!isReply) switches.bytesLeft -= chunk.length
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => {
    if (!pair.stalled) from.resume()
  })
  from.on('end', () => to.end())
}

/** Starts a proxy on the loopback. The target need not be up: connections are then reset. */
export const startTcpProxy = async (options: TcpProxyOptions): Promise<TcpProxy> => {
  const pairs = new Set<Pair>()
  const switches: Switches = { newStalled: false, repliesCut: false, bytesLeft: Infinity }
  let { targetPort } = options
  const join = (client: Socket): void => {
    const target = { host: options.targetHost, port: targetPort }
    const pair: Pair = { ...pairWith(client, target, () => pairs.delete(pair)), stalled: false }
    const { server } = pair
    pairs.add(pair)
    pass(client, server, { pair, switches, isReply: false })
    pass(server, client, { pair, switches, isReply: true })
    if (switches.newStalled) stallPair(pair, true)
  }
  const newServer = (): Server => createServer({ allowHalfOpen: true }, join)
  const resetAll = (): void => {
    pairs.forEach(resetPair)
  }
  let listener: Server | null = newServer()
  const port = await listen(listener, options.port ?? 0)

  return {
    port,
    url: (scheme) => `${scheme}://${LOOPBACK}:${port}`,
    resetAll,
    stall: (on) => {
      switches.newStalled = on
      for (const pair of pairs) stallPair(pair, on)
    },
    stallOpen: () => {
      for (const pair of pairs) stallPair(pair, true)
    },
    stallNew: (on) => {
      switches.newStalled = on
      if (!on) for (const pair of pairs) stallPair(pair, false)
    },
    cutReplies: (on) => {
      switches.repliesCut = on
    },
    breakAfter: (bytes) => {
      switches.bytesLeft = bytes
    },
    refuse: async (on) => {
      if (on) {
        listener?.close()
        listener = null
      } else if (listener === null) {
        listener = newServer()
        await listen(listener, port)
      }
    },
    retarget: (to) => {
      targetPort = to
    },
    connections: () => pairs.size,
    close: async () => {
      const closed = listener?.listening ? once(listener, 'close') : null
      listener?.close()
      resetAll()
      await closed
    },
  }
}

const stallPair = (pair: Pair, on: boolean): void => {
  pair.stalled = on
  for (const socket of [pair.client, pair.server]) {
    if (on) socket.pause()
    else socket.resume()
  }
}
