// A Redis that is there and refuses. Broken connections are one kind of fault, error replies are another: READONLY after
// a failover, OOM, BUSY behind a slow script. This proxy stands before a real Redis, reads each command and lets a test
// answer it with an error instead (nothing is executed), or lose the answer of one that was executed.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createRedisSession, type OnCommand } from './redis-session.ts'
import { LOOPBACK, listen, pairWith, resetPair, type SocketPair } from './socket-pair.ts'

export type RedisProxyOptions = {
  targetPort: number
  /** Default: all commands are passed on. */
  onCommand?: OnCommand
}

export type RedisProxy = {
  port: number
  /** For `REDIS_URL`. */
  url: string
  /** Another rule from now on, for commands that are not read yet; without one all commands are passed on. */
  setOnCommand: (onCommand?: OnCommand) => void
  /** Commands that were read, that were refused, and whose replies were lost. */
  counts: () => { commands: number; refused: number; lost: number }
  close: () => Promise<void>
}

/**
 * Starts a proxy on the loopback, before a Redis on the loopback. RESP2 and RESP3. A connection is read until it
 * subscribes, monitors, replicates or switches replies off; from that command on all is passed on unread.
 */
export const startRedisProxy = async (options: RedisProxyOptions): Promise<RedisProxy> => {
  const pairs = new Set<SocketPair>()
  const counts = { commands: 0, refused: 0, lost: 0 }
  let rule = options.onCommand
  const onCommand: OnCommand = (command, at) => {
    counts.commands += 1
    const fate = rule?.(command, at)
    if (typeof fate === 'object') counts.refused += 1
    if (fate === 'lose-reply') counts.lost += 1
    return fate
  }
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const pair = pairWith(client, { port: options.targetPort }, () => pairs.delete(pair))
    pairs.add(pair)
    join(pair, onCommand)
  })
  const port = await listen(listener, 0)
  return {
    port,
    url: `redis://${LOOPBACK}:${port}`,
    setOnCommand: (onCommandNow) => {
      rule = onCommandNow
    },
    counts: () => ({ ...counts }),
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      pairs.forEach(resetPair)
      await closed
    },
  }
}

/** Passes bytes both ways through a session, no faster than the other side takes them. */
const join = ({ client, server }: SocketPair, onCommand: OnCommand): void => {
  let held = false
  const session = createRedisSession({
    onCommand,
    toServer: (bytes) => passOn(server, bytes, client),
    toClient: (bytes) => passOn(client, bytes, server),
    holdClient: () => {
      held = true
      client.pause()
    },
    breakOff: () => {
      server.destroy()
      client.destroySoon()
    },
  })
  for (const [from, to, take] of [
    [client, server, session.fromClient],
    [server, client, session.fromServer],
  ] as const) {
    from.on('data', (chunk: Buffer) => {
      // A pipeline leaves as it came, in few packets.
      to.cork()
      take(chunk)
      to.uncork()
    })
    to.on('drain', () => {
      if (!(held && from === client)) from.resume()
    })
    from.on('end', () => to.end())
  }
}

const passOn = (to: Socket, bytes: Buffer, from: Socket): void => {
  if (bytes.length > 0 && to.writable && !to.write(bytes)) from.pause()
}
