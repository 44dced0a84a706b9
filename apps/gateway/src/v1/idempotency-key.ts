/**
 * The header `Idempotency-Key`, as the IETF's draft has it (draft-ietf-httpapi-idempotency-key-header): a string of a
 * structured field, `"…"` with `\"` and `\\` inside. Many clients leave the quotes out, so the bare key is good as well.
 */
import type { Problem } from '@wechat-outbox/messages'

export const IDEMPOTENCY_HEADER = 'Idempotency-Key'

export type ReadKey = { readonly key: string | undefined } | { readonly problem: Problem }

const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
/** No space and no quote: two headers that were joined to one, or half a string, are not taken for a key. */
const bare = /^[\x21\x23-\x7e]+$/

export function readIdempotencyKey(header: string | string[] | undefined): ReadKey {
  if (header === undefined) return { key: undefined }
  const text = String(header).trim()
  const [, inside] = quoted.exec(text) ?? []
  const key = inside?.replaceAll(/\\(["\\])/g, '$1') ?? (bare.test(text) ? text : '')
  if (key !== '') return { key }
  return { problem: { path: IDEMPOTENCY_HEADER, message: 'must be one string of printable ASCII, in quotes or bare' } }
}
