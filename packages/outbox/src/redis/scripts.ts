/**
 * The Lua scripts, loaded from `scripts/` and defined on a connection. Lua stands in files of its own, where an editor
 * knows the language and each file can say what it takes and returns.
 */
import { readFileSync } from 'node:fs'
import { Cluster } from 'ioredis'
import type { RedisClient } from './connection.ts'

const folders = {
  'app-hold': ['hold-fault', 'hold-lift', 'hold-operator', 'hold-prove', 'hold-turn'],
  'dead-letters': ['bury', 'dead-page', 'replay'],
  lanes: ['backlog', 'heal', 'mend-lane', 'unlane'],
  producer: ['send'],
  tokens: [
    'access-token-issue',
    'access-token-revoke',
    'token-claim',
    'token-fail',
    'token-force',
    'token-read',
    'token-store',
    'token-unlock',
    'token-want',
  ],
  worker: ['admit', 'fetch', 'finish', 'give-back', 'glance', 'look', 'settle', 'unmark'],
} as const

export type ScriptName = (typeof folders)[keyof typeof folders][number]

function read(path: string): string {
  return readFileSync(new URL(`../../scripts/${path}.lua`, import.meta.url), 'utf8')
}

type Defined = Readonly<Record<string, { readonly lua: string }>>
/** What ioredis keeps of a client's commands: BullMQ's, once a queue was opened on it, and ours. */
const definedOn = (client: RedisClient): Defined => (client as unknown as { scriptsSet: Defined }).scriptsSet

/** A script with its parts in place, each of them once: parts may need parts, and two may need the same. */
function assemble(path: string, bullmq: (name: string) => string, included = new Set<string>()): string {
  return read(path).replaceAll(/^--- (include|bullmq) (\S+)$/gm, (_, kind: string, part: string) => {
    if (included.has(part)) return ''
    included.add(part)
    return kind === 'include' ? assemble(`include/${part}`, bullmq, included) : asFunction(part, bullmq(part))
  })
}

function asFunction(name: string, lua: string): string {
  return `local function ${name}(KEYS, ARGV)\n${lua}\nend\n`
}

/** One of BullMQ's scripts as it stands in the version that is installed; it names its commands with it. */
function bullmqScript(client: RedisClient, name: string): string {
  const [found] = Object.entries(definedOn(client)).filter(([command]) => command.startsWith(`${name}:`))
  if (found === undefined) throw new Error(`BullMQ has no script ${name}`)
  return found[1].lua
}

/** ioredis puts a defined command on the client and on its pipelines; prefixed, so that it never hides one of Redis's. */
const commandOf = (name: ScriptName): string => `wxo:${name}`

interface Runner {
  [command: string]: unknown
}

/**
 * Makes the scripts known to a client on which BullMQ has defined its own. Cheap and repeatable; pipelines and
 * transactions of it know them too.
 */
export function defineScripts(client: RedisClient): void {
  for (const [folder, names] of Object.entries(folders)) {
    for (const name of names) {
      if (commandOf(name) in client) continue
      const lua = assemble(`${folder}/${name}`, (script) => bullmqScript(client, script))
      client.defineCommand(commandOf(name), { lua })
    }
  }
}

/** BullMQ's commands that run inside our transactions. */
const BULLMQ_COMMANDS = /^(?:addStandardJob|removeJob):/

/**
 * Loads every script that runs inside a transaction into the server. ioredis sends a script whole once per connection and
 * by its digest from then on; but a transaction that was aborted never ran what it was sent, and the digest would be
 * unknown in the middle of the next one, whose other commands take effect all the same.
 */
export async function loadScripts(client: RedisClient): Promise<void> {
  const needed = Object.entries(definedOn(client)).filter(
    ([name]) => name.startsWith('wxo:') || BULLMQ_COMMANDS.test(name),
  )
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  await Promise.all(nodes.flatMap((node) => needed.map(([, { lua }]) => node.script('LOAD', lua))))
}

export interface ScriptCall {
  readonly name: ScriptName
  readonly keys: readonly string[]
  readonly args: readonly (string | number | Buffer)[]
}

/** Runs a script, or queues it when `on` is a transaction (then the answer is the transaction's). */
export function runScript<T>(on: object, call: ScriptCall): Promise<T> {
  const command = (on as Runner)[commandOf(call.name)] as (...parts: (string | number | Buffer)[]) => Promise<T>
  return command.call(on, call.keys.length, ...call.keys, ...call.args)
}
