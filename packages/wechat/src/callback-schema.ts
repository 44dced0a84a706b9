/**
 * Where an app's events are told: the receiver's URL, the key that signs the calls, and which events it wants. Such a URL may hold a
 * secret of its own, so all of it is said by its path and never by its value.
 *
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { isIP } from 'node:net'
import { CALLBACK_TYPES } from '@wechat-outbox/messages'
import { z } from 'zod'
import { isLoopback } from './base-url.ts'
import { isPublicAddress } from './public-address.ts'

const URL_FORM = 'must be an http or https URL without user, password and fragment'
const SECRET_FORM = 'must be whsec_ and the base64 of 24 to 64 bytes'
const SECRET_BYTES = { min: 24, max: 64 }
const EVENTS_FORM = `must be a list of ${CALLBACK_TYPES.join(', ')}, each of them once`

/** The settings one by one, for who reads them from variables. */
export const callbackFields = {
  url: z.string(URL_FORM).refine(isCallbackUrl, URL_FORM),
  secret: z.string(SECRET_FORM).refine(isSecret, SECRET_FORM),
}

const events = z
  .array(z.enum(CALLBACK_TYPES, EVENTS_FORM), EVENTS_FORM)
  .min(1, EVENTS_FORM)
  .refine((types) => new Set(types).size === types.length, EVENTS_FORM)

export const callbackSchema = z.strictObject(
  { ...callbackFields, events: events.optional() },
  {
    error: ({ code }) => (code === 'unrecognized_keys' ? 'has a field other than url, secret, events' : undefined),
  },
)

/** Without `events` all of them are told. */
export type CallbackConfig = z.output<typeof callbackSchema>

/** The bytes that sign. */
export function callbackKey(secret: string): Buffer {
  return Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
}

const SECRET_PREFIX = 'whsec_'

function isSecret(text: string): boolean {
  if (!text.startsWith(SECRET_PREFIX)) return false
  const base64 = text.slice(SECRET_PREFIX.length)
  // Node's own reader passes over what is no base64, and then half a key would sign.
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(base64)) return false
  const { length } = callbackKey(text)
  return length >= SECRET_BYTES.min && length <= SECRET_BYTES.max
}

function isCallbackUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, hash } = new URL(text)
  return ['http:', 'https:'].includes(protocol) && username + password + hash === ''
}

/**
 * What stands against a receiver, beside the form of its URL: events name people, so they travel in plain http, or to a private address,
 * only where somebody says so. Undefined where nothing does. What a name resolves to is looked at when it is called.
 */
export function receiverProblem(url: string, allowedHosts: readonly string[]): string | undefined {
  const { protocol, hostname } = new URL(url)
  if (allowedHosts.includes(hostname)) return undefined
  const host = hostname.replace(/^\[(.*)\]$/u, '$1')
  const why = 'unless CALLBACK_ALLOWED_HOSTS names its host'
  if (protocol !== 'https:') return `must be https, ${why}`
  const isPrivate = isLoopback(host) || (isIP(host) !== 0 && !isPublicAddress(host))
  return isPrivate ? `must have a public address, ${why}` : undefined
}
