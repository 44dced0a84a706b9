/**
 * Who may use the gateway: keys from a variable, which may do everything, and keys from a file, each with an id, a hash and,
 * if wanted, fewer apps and rights, and limits. Reading never throws, and what is wrong comes back as sentences that hold no key.
 */
import {
  digestApiKey,
  ENV_KEY_PREFIX,
  keyEntrySchema,
  RIGHTS,
  type Right,
  readApiKeyHash,
  readListFile,
} from '@wechat-outbox/runtime'
import { z } from 'zod'

export interface Key {
  readonly id: string
  readonly digest: Buffer
  /** Absent: all apps. */
  readonly apps?: readonly string[] | undefined
  readonly rights: readonly Right[]
  /** Absent: no limit. */
  readonly requestsPerSecond?: number | undefined
  readonly messagesPerSecond?: number | undefined
}

export interface KeyVariables {
  readonly GATEWAY_API_KEYS?: string | undefined
  readonly GATEWAY_KEYS_FILE?: string | undefined
}

/** Visible characters; a comma separates keys. Shorter ones could be guessed, longer ones do not belong into a header. */
const KEY_FORM = /^[!-+\--~]{24,256}$/

const fileSchema = z.array(keyEntrySchema).min(1, 'lists no key')

/** No keys and no problems: neither variable is set. */
export function readKeys(given: KeyVariables): { keys: Key[]; problems: string[] } {
  const problems: string[] = []
  const { GATEWAY_API_KEYS: list, GATEWAY_KEYS_FILE: path } = given
  const keys = [...(list ? readList(list, problems) : []), ...readFile(path, problems)]
  const seen = new Map<string, string>()
  for (const { id, digest } of keys) {
    for (const [what, value] of [
      ['id', id],
      ['key', digest.toString('hex')],
    ] as const) {
      const other = seen.get(what + value)
      if (other === undefined) seen.set(what + value, id)
      else problems.push(what === 'id' ? `two keys have the id ${id}` : `${other} and ${id} are the same key`)
    }
  }
  return { keys, problems }
}

/**
 * Keys of the variable have no name, so they get one from their digest: it stays the same in whatever order they stand, and
 * what was given to one key is never taken for another's.
 */
function readList(list: string, problems: string[]): Key[] {
  return list.split(',').flatMap((text, index) => {
    const key = text.trim()
    if (!KEY_FORM.test(key)) {
      problems.push(`GATEWAY_API_KEYS: key ${index + 1} must have 24 to 256 visible ASCII characters`)
      return []
    }
    const digest = digestApiKey(key)
    return [{ id: ENV_KEY_PREFIX + digest.toString('base64url').slice(0, 6), digest, rights: RIGHTS }]
  })
}

function readFile(path: string | undefined, problems: string[]): Key[] {
  const read = readListFile({ variable: 'GATEWAY_KEYS_FILE', path, schema: fileSchema })
  problems.push(...read.problems)
  return read.entries.map(({ hash, rights = RIGHTS, ...entry }) => ({
    ...entry,
    digest: readApiKeyHash(hash) ?? Buffer.alloc(0),
    rights,
  }))
}
