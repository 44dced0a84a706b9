/**
 * The gateway's API keys: what `wxo key new` prints and what the gateway reads. A key is 32 random bytes, so its hash needs neither salt nor a slow function: those defend what
 * people think up, and nobody walks through 2^256 values at any speed. One SHA-256 costs a microsecond, which a request
 * with a key may cost; a slow hash would be a way to keep the gateway busy.
 */
import { hash as digestOf, randomBytes } from 'node:crypto'
import { appidSchema } from '@wechat-outbox/messages'
import { z } from 'zod'

/** Makes it easy to find in what should not hold one: a repository, a log. */
const PREFIX = 'wxo_'
const HASH_PREFIX = 'sha256:'

/** `replay` is for dead letters, discarding them included; `act` for what users did. */
export const RIGHTS = ['send', 'read', 'replay', 'act'] as const
export type Right = (typeof RIGHTS)[number]

/** The ids of keys that stand in `GATEWAY_API_KEYS`, where nobody names them, begin with this. */
export const ENV_KEY_PREFIX = 'env-'

/** zod repeats the names of unknown fields, and in a broken file a key may stand in such a place. */
const withoutNames = ({ code }: { code: string }): string | undefined =>
  code === 'unrecognized_keys'
    ? 'has a field other than id, hash, apps, rights, requestsPerSecond and messagesPerSecond'
    : undefined

const perSecond = z
  .int('must be a whole number')
  .min(1, 'must be 1 or more')
  .max(1_000_000, 'must be at most 1000000')
  .optional()

/** One entry of the file that `GATEWAY_KEYS_FILE` names. */
export const keyEntrySchema = z.strictObject(
  {
    id: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes and underscores')
      .refine((id) => id !== 'local' && !id.startsWith(ENV_KEY_PREFIX), 'must not be `local` or begin with `env-`'),
    hash: z.string().refine((hash) => readApiKeyHash(hash) !== null, 'must be a hash that `wxo key new` printed'),
    apps: z.array(appidSchema).min(1, 'must name an app, or be left out for all of them').optional(),
    rights: z
      .array(z.enum(RIGHTS, `must be one of ${RIGHTS.join(', ')}`))
      .min(1, 'must name a right, or be left out for all of them')
      .optional(),
    requestsPerSecond: perSecond,
    messagesPerSecond: perSecond,
  },
  { error: withoutNames },
)
export type KeyEntry = z.output<typeof keyEntrySchema>

/** A new key: `wxo_` and 43 characters, all of which may stand in a header, a URL and a shell. */
export function newApiKey(): string {
  return PREFIX + randomBytes(32).toString('base64url')
}

/** What is compared: equally long for every key, so that a comparison tells nothing about one. */
export function digestApiKey(key: string): Buffer {
  return digestOf('sha256', key, 'buffer')
}

/** What a file may hold in a key's place. */
export function hashApiKey(key: string): string {
  return HASH_PREFIX + digestApiKey(key).toString('base64url')
}

/** The digest in a hash, or null when it is none. */
export function readApiKeyHash(hash: string): Buffer | null {
  const digest = Buffer.from(hash.slice(HASH_PREFIX.length), 'base64url')
  // Written back it must be the same: Buffer passes over what it does not understand.
  return digest.length === 32 && HASH_PREFIX + digest.toString('base64url') === hash ? digest : null
}
