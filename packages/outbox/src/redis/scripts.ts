/**
 * The Lua scripts, defined on a connection.
 *
 * ioredis sends a script by its digest, and the whole of it where Redis does not know that. It cannot do so inside a MULTI,
 * so no transaction contains a script: what belongs together is one script.
 */
import type { RedisClient } from './connection.ts'
import { SCRIPT_TEXTS, type ScriptName } from './script-texts.ts'

/** ioredis puts a defined command on the client and on its pipelines; prefixed, so that it never hides one of Redis's. */
const commandOf = (name: ScriptName): string => `wxo:${name}`

/** Makes the scripts known to a client. Cheap and repeatable; pipelines of it know them too. */
export function defineScripts(client: RedisClient): void {
  for (const [name, lua] of Object.entries(SCRIPT_TEXTS) as [ScriptName, string][]) {
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
