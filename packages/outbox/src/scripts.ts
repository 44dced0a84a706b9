/**
 * The Lua scripts, loaded from `scripts/` and defined on a connection. Lua stands in files of its own, where an editor
 * knows the language and each file can say what it takes and returns.
 */
import { readFileSync } from 'node:fs'
import { Cluster } from 'ioredis'
import type { RedisClient } from './redis.ts'

const names = [
  'access-token-issue',
  'access-token-revoke',
  'admit',
  'backlog',
  'bury',
  'dead-page',
  'glance',
  'guard-replay',
  'guard-send',
  'heal',
  'hold-fault',
  'hold-lift',
  'hold-operator',
  'hold-prove',
  'hold-turn',
  'look',
  'mend-lane',
  'settle',
  'token-claim',
  'token-fail',
  'token-force',
  'token-read',
  'token-store',
  'token-unlock',
  'token-want',
  'unguard',
  'unlane',
  'unmark',
] as const

export type ScriptName = (typeof names)[number]

function read(path: string): string {
  return readFileSync(new URL(`../scripts/${path}.lua`, import.meta.url), 'utf8')
}

/** A script with its parts in place, each of them once: parts may need parts, and two may need the same. */
function assemble(path: string, included = new Set<string>()): string {
  return read(path).replaceAll(/^--- include (\S+)$/gm, (_, part: string) => {
    if (included.has(part)) return ''
    included.add(part)
    return assemble(`include/${part}`, included)
  })
}

const sources = new Map<ScriptName, string>(names.map((name) => [name, assemble(name)]))

/** ioredis puts a defined command on the client and on its pipelines; prefixed, so that it never hides one of Redis's. */
const commandOf = (name: ScriptName): string => `wxo:${name}`

interface Runner {
  [command: string]: unknown
}

/** Makes the scripts known to a client. Cheap and repeatable; pipelines and transactions of it know them too. */
export function defineScripts(client: RedisClient): void {
  for (const [name, lua] of sources) {
    if (!(commandOf(name) in client)) client.defineCommand(commandOf(name), { lua })
  }
}

/** BullMQ's commands that run inside our transactions. */
const BULLMQ_COMMANDS = /^(?:addStandardJob|addDelayedJob|removeJob):/

/**
 * Loads every script that runs inside a transaction into the server. ioredis sends a script whole once per connection and
 * by its digest from then on; but a transaction that was aborted never ran what it was sent, and the digest would be
 * unknown in the middle of the next one, whose other commands take effect all the same.
 */
export async function loadScripts(client: RedisClient): Promise<void> {
  const defined = Object.entries((client as unknown as { scriptsSet: Record<string, { lua: string }> }).scriptsSet)
  const needed = defined.filter(([name]) => name.startsWith('wxo:') || BULLMQ_COMMANDS.test(name))
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  await Promise.all(nodes.flatMap((node) => needed.map(([, { lua }]) => node.script('LOAD', lua))))
}

export interface ScriptCall {
  readonly name: ScriptName
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

/** Runs a script, or queues it when `on` is a transaction (then the answer is the transaction's). */
export function runScript<T>(on: object, call: ScriptCall): Promise<T> {
  const command = (on as Runner)[commandOf(call.name)] as (...parts: (string | number)[]) => Promise<T>
  return command.call(on, call.keys.length, ...call.keys, ...call.args)
}
