/**
 * What a server says of itself. INFO is what everybody asks for it – the client before it is ready, BullMQ, and our own look
 * at persistence and memory – and an access list may refuse it (`-@dangerous` does). Then HELLO, which none refuses, returns version and
 * role, in INFO's form; the rest is unknown, and whoever asks has to say so.
 */
import { Cluster, type Redis } from 'ioredis'
import { isRefusal, messageOf } from '../errors.ts'
import type { RedisClient } from './connection.ts'

/** The client itself asks in the older way. */
type Tell = (error: Error | null, info?: string) => void

/** Makes INFO of this client answer where it is refused, too. */
export function answerInfo(client: RedisClient): void {
  const ask = client.info.bind(client) as (...sections: string[]) => Promise<string>
  const info = async (...sections: string[]): Promise<string> => {
    try {
      return await ask(...sections)
    } catch (error) {
      if (!isNotAllowed(error)) throw error
      return infoOf(await helloOf(client))
    }
  }
  client.info = ((...args: (string | Tell)[]) => {
    const told = info(...args.filter((arg) => typeof arg === 'string'))
    const tell = args.find((arg) => typeof arg === 'function')
    if (tell !== undefined) told.then((text) => tell(null, text), tell)
    return told
  }) as Redis['info']
}

/** What HELLO returns, by name: `version`, `role` and others. Empty where a proxy does not know it. */
async function helloOf(client: RedisClient): Promise<ReadonlyMap<string, string>> {
  const [server] = client instanceof Cluster ? client.nodes('master') : [client]
  try {
    const told: unknown = await server?.hello()
    // A map, in which names and values alternate where the protocol is the older one.
    const fields = Array.isArray(told) ? told : Object.entries(told ?? {}).flat()
    return new Map(fields.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(fields[at + 1])]] : [])))
  } catch (error) {
    if (!isRefusal(error)) throw error
    return new Map()
  }
}

function infoOf(hello: ReadonlyMap<string, string>): string {
  const version = hello.get('version')
  const role = hello.get('role')
  const lines = [
    ...(version === undefined ? [] : [`redis_version:${version}`]),
    ...(role === undefined ? [] : [`role:${role === 'replica' ? 'slave' : role}`]),
  ]
  return lines.map((line) => `${line}\r\n`).join('')
}

/** Whether an access list, or a host that takes commands away, is why there is no answer. */
export function isNotAllowed(error: unknown): boolean {
  return isRefusal(error) && /^NOPERM\b|^ERR unknown command/i.test(messageOf(error))
}
