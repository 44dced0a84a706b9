/**
 * The Lua scripts, loaded from `scripts/` and defined on a connection. Lua stands in files of its own, where an editor
 * knows the language and each file can say what it takes and returns.
 *
 * ioredis sends a script by its digest, and the whole of it where Redis does not know that. It cannot do so inside a MULTI,
 * so no transaction contains a script: what belongs together is one script.
 */
import { readFileSync } from 'node:fs'
import type { RedisClient } from './connection.ts'

const folders = {
  'app-hold': ['hold-fault', 'hold-lift', 'hold-operator', 'hold-prove', 'hold-turn'],
  'dead-letters': ['bury-message', 'dead-page', 'discard', 'replay', 'take-retried'],
  lanes: ['backlog', 'heal', 'mend-lane'],
  producer: ['cancel', 'send'],
  tasks: ['take-back', 'task-cancel', 'task-create', 'task-select'],
  tokens: [
    'access-token-issue',
    'access-token-revoke',
    'token-claim',
    'token-fail',
    'token-force',
    'token-prove',
    'token-read',
    'token-store',
    'token-unlock',
    'token-want',
  ],
  windows: ['act'],
  worker: ['admit', 'give-back', 'queue-poll', 'settle', 'trim', 'unmark'],
} as const

export type ScriptName = (typeof folders)[keyof typeof folders][number]

function read(path: string): string {
  return readFileSync(new URL(`../../scripts/${path}.lua`, import.meta.url), 'utf8')
}

/** A script with its parts in place, each of them once: parts may need parts, and two may need the same. */
function assemble(path: string, included = new Set<string>()): string {
  return read(path).replaceAll(/^--- include (\S+)$/gm, (_, part: string) => {
    if (included.has(part)) return ''
    included.add(part)
    return assemble(`include/${part}`, included)
  })
}

/** ioredis puts a defined command on the client and on its pipelines; prefixed, so that it never hides one of Redis's. */
const commandOf = (name: ScriptName): string => `wxo:${name}`

/** The text of each script, parts in place. Read once per process. */
const SCRIPTS: ReadonlyMap<ScriptName, string> = new Map(
  Object.entries(folders).flatMap(([folder, names]) => names.map((name) => [name, assemble(`${folder}/${name}`)])),
)

/** Makes the scripts known to a client. Cheap and repeatable; pipelines of it know them too. */
export function defineScripts(client: RedisClient): void {
  for (const [name, lua] of SCRIPTS) {
    if (!(commandOf(name) in client)) client.defineCommand(commandOf(name), { lua })
  }
}

export interface ScriptCall {
  readonly name: ScriptName
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

interface Runner {
  [command: string]: (...parts: (string | number)[]) => Promise<unknown>
}

/** Runs a script on a client on which it is defined. */
export function runScript<T>(client: RedisClient, call: ScriptCall): Promise<T> {
  const runner = client as unknown as Runner
  return runner[commandOf(call.name)]?.(call.keys.length, ...call.keys, ...call.args) as Promise<T>
}
