// The error replies of Redis 7, word for word, so that a test gets the texts that clients match.
import { createHash } from 'node:crypto'

export const REDIS_ERRORS = {
  READONLY: "READONLY You can't write against a read only replica.",
  NOREPLICAS: 'NOREPLICAS Not enough good replicas to write.',
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  MISCONF:
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may " +
    'modify the data set are disabled, because this instance is configured to report errors during writes if RDB ' +
    'snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.',
  NOSCRIPT: 'NOSCRIPT No matching script. Please use EVAL.',
  LOADING: 'LOADING Redis is loading the dataset in memory',
  CLUSTERDOWN: 'CLUSTERDOWN The cluster is down',
  TRYAGAIN: 'TRYAGAIN Multiple keys request during rehashing of slot',
} as const

export type RedisErrorName = keyof typeof REDIS_ERRORS

/** Where ioredis keeps the scripts that were defined on a client: `scriptsSet` of a `Redis` or a `Cluster`, which its types hide. */
type WithScripts = { scriptsSet: Readonly<Record<string, { lua: string }>> }

/**
 * Tells of a command which script it runs: the name under which the script was defined on one of these ioredis clients
 * (`wxo:settle`, `moveToActive:…`), for EVALSHA by its digest and for EVAL by its text. Undefined for anything else.
 */
export const scriptNamesOf = (...clients: object[]): ((command: readonly string[]) => string | undefined) => {
  const namesBySha = new Map<string, string>()
  const learn = (): void => {
    for (const client of clients as WithScripts[]) {
      for (const [name, { lua }] of Object.entries(client.scriptsSet)) namesBySha.set(shaOf(lua), name)
    }
  }
  return ([command, script = '']) => {
    if (command !== 'evalsha' && command !== 'eval') return undefined
    const sha = command === 'eval' ? shaOf(script) : script.toLowerCase()
    // Scripts may have been defined since: BullMQ defines its own when a queue is opened.
    if (!namesBySha.has(sha)) learn()
    return namesBySha.get(sha)
  }
}

const shaOf = (lua: string): string => createHash('sha1').update(lua).digest('hex')
