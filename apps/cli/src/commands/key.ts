/** `wxo key new`: a key for the gateway. It is made here and known nowhere else: the gateway is given its hash. */
import { PLAIN_ERRORS } from '@wechat-outbox/messages'
import { hashApiKey, type KeyEntry, keyEntrySchema, newApiKey, RIGHTS } from '@wechat-outbox/runtime'
import type { Command } from 'commander'
import { UsageError } from '../failure.ts'
import type { Act } from '../program.ts'
import type { Session } from '../session.ts'

interface NewKeyOptions {
  readonly id?: string
  readonly app: readonly string[]
  readonly right: readonly string[]
  readonly requestsPerSecond?: number
  readonly messagesPerSecond?: number
}

export function addKey(program: Command, act: Act): void {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  program
    .command('key')
    .description('keys for the gateway')
    .command('new')
    .description('a new key, printed this once, and its entry for the file of GATEWAY_KEYS_FILE')
    .option('--id <name>', 'what log lines call it')
    .option('--app <appid>', 'for this Mini Program alone; may be repeated', collect, [])
    .option('--right <right>', `one of ${RIGHTS.join(', ')}, and no other; may be repeated`, collect, [])
    .option('--requests-per-second <number>', 'what the key may ask of one gateway', Number)
    .option('--messages-per-second <number>', 'what the key may send through one gateway', Number)
    .action((options: NewKeyOptions) => act(async (session) => newKey(session, options)))
}

function newKey({ output }: Session, options: NewKeyOptions): void {
  const key = newApiKey()
  const entry = entryOf(hashApiKey(key), options)
  if (output.json) return output.document({ key, entry })
  output.note('The key, which is printed this once and stored nowhere:')
  output.line(key)
  output.note(
    'Its entry for the file of GATEWAY_KEYS_FILE, which is a JSON list (or put the key into GATEWAY_API_KEYS):',
  )
  output.line(JSON.stringify(entry))
}

/** Checked with what the gateway will read it with. @throws UsageError with every problem */
function entryOf(hash: string, { id = `key-${hash.slice(-6)}`, app, right, ...limits }: NewKeyOptions): KeyEntry {
  const apps = app.length === 0 ? {} : { apps: [...new Set(app)] }
  const rights = right.length === 0 ? {} : { rights: [...new Set(right)] }
  const read = keyEntrySchema.safeParse({ id, hash, ...apps, ...rights, ...limits }, PLAIN_ERRORS)
  if (read.success) return read.data
  const options: Record<string, string> = {
    id: '--id',
    apps: '--app',
    rights: '--right',
    requestsPerSecond: '--requests-per-second',
    messagesPerSecond: '--messages-per-second',
  }
  throw new UsageError(
    read.error.issues.map(({ path, message }) => `${options[String(path[0])] ?? 'key'} ${message}`).join('; '),
  )
}
