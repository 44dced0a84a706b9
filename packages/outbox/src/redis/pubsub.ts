/**
 * What one process reports to the others: Redis's publish and subscribe, over one connection for everything a process wants to
 * hear. Such messages may be missed – a connection breaks, another server takes over – and so they carry nothing that
 * counts: they only say that something in Redis has changed. Whenever one may have been missed, every subscriber is made to read it again.
 */
import type { RedisClient } from './connection.ts'
import { isNotAllowed } from './server-info.ts'

/** `message` is undefined when something may have been missed. Must not throw. */
export type Hear = (message: string | undefined) => void

export interface News {
  /** Listens on a channel, at once or as soon as Redis is there. Returns what ends it. */
  listen(channel: string, hear: Hear): () => void
  close(): void
}

/**
 * A cluster's client changes the node that it is subscribed at without an event, and no client notices a subscription that its server
 * has forgotten. So now and then it subscribes again, which costs nothing where all is well, and everybody looks.
 */
const RENEW_EVERY_MS = 60_000

/** `client` serves nothing else from now on, and ends with `close`. Its errors are for its owner to listen to. */
export function createNews(client: RedisClient): News {
  const channels = new Map<string, Set<Hear>>()
  let closed = false
  let saidWhy = false

  function renew(): void {
    if (channels.size > 0 && client.status === 'ready') subscribe([...channels.keys()])
  }
  /** Only after the subscription stands is it certain that what is read then will not have changed in silence. */
  function subscribe(names: readonly string[]): void {
    client.subscribe(...names).then(
      () => tell(names, undefined),
      // Away or closing: the next connection, or the next renewal, does it.
      (error: unknown) => {
        if (saidWhy || !isNotAllowed(error)) return
        saidWhy = true
        client.emit('error', error)
      },
    )
  }
  function tell(names: readonly string[], message: string | undefined): void {
    if (closed) return
    for (const name of names) for (const hear of channels.get(name) ?? []) hear(message)
  }

  client.on('message', (channel: string, message: string) => tell([channel], message))
  client.on('ready', renew)
  const timer = setInterval(renew, RENEW_EVERY_MS)
  timer.unref()
  return {
    listen(channel, hear) {
      const hearers = channels.get(channel) ?? new Set()
      channels.set(channel, hearers.add(hear))
      if (client.status === 'ready') subscribe([channel])
      return () => {
        hearers.delete(hear)
        if (hearers.size > 0 || channels.get(channel) !== hearers) return
        channels.delete(channel)
        client.unsubscribe(channel).catch(() => undefined)
      }
    },
    close() {
      closed = true
      clearInterval(timer)
      client.disconnect()
    },
  }
}
